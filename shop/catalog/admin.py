"""The store's back office: products and stock, for the role admin. The orders' part is theirs."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request
from pydantic import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from shop.catalog import product_form
from shop.catalog.editing import EditConflict, ProductChange
from shop.catalog.forms import field_errors
from shop.catalog.inventory import ALL, GONE, LOW
from shop.catalog.listing.search import normalise
from shop.catalog.product_form import FieldClash, FormValues, Given
from shop.catalog.requests import MAX_STOCK
from shop.catalog.service import CatalogService
from shop.errors import InvalidFields, StateConflict
from shop.web import idempotency
from shop.web.identity import ADMIN, require_role

SEE_OTHER = 303
NOTHING: Mapping[str, str] = MappingProxyType({})
WORDS = {
    "title": "Enter a title of 1 to 200 characters.",
    "description": "Enter a description of 1 to 10,000 characters.",
    "on_hand": f"Enter how many pieces there are: a whole number between 0 and {MAX_STOCK:,}.",
    "price": "Enter a price between 0.01 and 1,000,000 euros, such as 12.99.",
    "brand": "Enter a brand of at most 60 characters.",
    "category": "Choose one of the categories.",
    "slug": "Enter a name of lower-case letters, digits and single hyphens, such as blue-mug; not “new”.",
}


def create_admin(use: Callable[[], CatalogService]) -> Blueprint:
    """Build the pages under ``/admin`` that are the catalogue's.

    Args:
        use: returns the catalogue of the request being served.
    """
    pages = Blueprint("catalog_admin", __name__, url_prefix="/admin", template_folder="templates")
    pages.before_request(_only_admins)
    pages.after_request(_keep_private)

    @pages.get("")
    def index() -> str:
        return render_template("catalog/admin_index.html", nav=use().departments())

    @pages.get("/products")
    def products() -> str:
        return _list(use())

    @pages.get("/products/new")
    def blank() -> Response:
        return _new(use(), {})

    @pages.post("/products/new")
    def add() -> AnyResponse:
        return _add(use(), idempotency.fields())

    @pages.get("/products/<slug>")
    def product(slug: str) -> Response:
        return _form(use(), slug)

    @pages.post("/products/<slug>")
    def save(slug: str) -> AnyResponse:
        return _save(use(), slug, idempotency.fields())

    @pages.post("/products/<slug>/withdraw")
    def withdraw(slug: str) -> AnyResponse:
        use().edit(slug, ProductChange(withdrawn=True))
        flash("Withdrawn. The store no longer sells it; orders of it stay.", "success")
        return redirect(f"/admin/products/{slug}", SEE_OTHER)

    @pages.post("/products/<slug>/offer")
    def offer(slug: str) -> AnyResponse:
        use().edit(slug, ProductChange(withdrawn=False))
        flash("Sold again, from now on.", "success")
        return redirect(f"/admin/products/{slug}", SEE_OTHER)

    return pages


def _only_admins() -> None:
    require_role(ADMIN)


def _keep_private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _list(catalog: CatalogService) -> str:
    find, asked = normalise(request.args.get("find", "")), request.args.get("stock", "")
    which = asked if asked in (LOW, GONE) else ALL
    page = catalog.inventory(find, request.args.get("cursor") or None, which)
    fields = {"find": find, "stock": which, "cursor": page.next_cursor or ""}
    following = urlencode({name: value for name, value in fields.items() if value})
    return render_template(
        "catalog/admin_products.html",
        nav=catalog.departments(),
        page=page,
        find=find,
        which=which,
        next_url=f"/admin/products?{following}" if page.next_cursor else "",
    )


def _save(catalog: CatalogService, slug: str, given: Given) -> AnyResponse:
    try:
        saved = catalog.edit(slug, product_form.read(given))
    except ValidationError as error:
        return _form(catalog, slug, product_form.as_sent(given), field_errors(error, WORDS), status=422)
    except InvalidFields as error:
        return _form(catalog, slug, product_form.as_sent(given), _said(error), status=422)
    except EditConflict as error:
        now = catalog.stocked(slug)
        clashes = product_form.clashes(given, now, error.errors)
        said = {name: clash.words for name, clash in clashes.items()}
        return _form(catalog, slug, product_form.as_merged(given, now, clashes), said, clashes, status=409)
    except StateConflict as error:
        field = "slug" if "slug" in error.errors else "on_hand"
        return _form(catalog, slug, product_form.as_sent(given), {field: error.detail}, status=409)
    flash("Saved. The store shows it from now on.", "success")
    return redirect(f"/admin/products/{saved.slug}", SEE_OTHER)


def _said(error: InvalidFields) -> dict[str, str]:
    wrong = {name.split(".")[0]: words for name, words in error.errors.items()}
    return {name: WORDS.get(name, said) for name, said in wrong.items()}


def _add(catalog: CatalogService, given: Given) -> AnyResponse:
    try:
        added = catalog.add(product_form.read_new(given))
    except ValidationError as error:
        return _new(catalog, given, field_errors(error, WORDS), 422)
    except InvalidFields as error:
        return _new(catalog, given, _said(error), 422)
    except StateConflict as error:
        return _new(catalog, given, {"slug": error.detail}, 409)
    flash("Added. The store sells it from now on.", "success")
    return redirect(f"/admin/products/{added.slug}", SEE_OTHER)


def _new(catalog: CatalogService, given: Given, errors: Mapping[str, str] = NOTHING, status: int = 200) -> Response:
    departments = catalog.departments()
    shelves = [
        (child["slug"], f"{department['name']}: {child['name']}")
        for department in departments
        for child in department["children"] or [department]
    ]
    html = render_template(
        "catalog/admin_new_product.html",
        nav=departments,
        form=given,
        errors=product_form.in_page_order(errors),
        shelves=[("", "Choose…"), *shelves],
        max_stock=MAX_STOCK,
    )
    return make_response(html, status)


def _form(
    catalog: CatalogService,
    slug: str,
    form: FormValues | None = None,
    errors: Mapping[str, str] = NOTHING,
    clashes: Mapping[str, FieldClash] = MappingProxyType({}),
    status: int = 200,
) -> Response:
    row = catalog.stocked(slug)
    html = render_template(
        "catalog/admin_product.html",
        nav=catalog.departments(),
        row=row,
        form=form or product_form.as_stored(row),
        errors=product_form.in_page_order(errors),
        clashes=clashes,
        max_stock=MAX_STOCK,
    )
    return make_response(html, status)
