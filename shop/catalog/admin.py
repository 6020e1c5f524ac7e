"""The admin pages of products and stock, for the role admin."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request
from pydantic import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from shop.catalog import product_form
from shop.catalog.editing import EditConflict, ProductChange
from shop.catalog.forms import field_errors
from shop.catalog.inventory import ALL, LOW, WITHDRAWN
from shop.catalog.listing.search import normalise
from shop.catalog.product_form import FieldClash, FormFields, FormValues
from shop.catalog.requests import MAX_STOCK
from shop.catalog.service import CatalogService
from shop.errors import InvalidFields, StateConflict
from shop.web import idempotency
from shop.web.http_caching import NO_STORE
from shop.web.identity import ADMIN, require_role

SEE_OTHER = 303
NO_ERRORS: Mapping[str, str] = MappingProxyType({})
FIELD_MESSAGES = {
    "title": "Enter a title of 1 to 200 characters.",
    "description": "Enter a description of 1 to 10,000 characters.",
    "on_hand": f"Enter how many pieces there are: a whole number between 0 and {MAX_STOCK:,}.",
    "price": "Enter a price between 0.01 and 1,000,000 euros, such as 12.99.",
    "brand": "Enter a brand of at most 60 characters.",
    "category": "Choose one of the categories.",
    "slug": "Enter a name of lower-case letters, digits and single hyphens, such as blue-mug; not “new”.",
}


def create_admin(get_service: Callable[[], CatalogService], get_overview: Callable[[], object]) -> Blueprint:
    """Build the catalogue's pages under ``/admin``.

    Args:
        get_service: returns the current request's catalogue service.
        get_overview: returns the figures of the first page.
    """
    pages = Blueprint("catalog_admin", __name__, url_prefix="/admin", template_folder="templates")

    @pages.before_request
    def require_admin() -> None:
        require_role(ADMIN)

    @pages.after_request
    def forbid_storing(response: Response) -> Response:
        response.headers["Cache-Control"] = NO_STORE
        return response

    @pages.get("")
    def index() -> str:
        return render_template("catalog/admin_index.html", nav=get_service().departments(), overview=get_overview())

    @pages.get("/products")
    def products() -> str:
        catalog, stock = get_service(), request.args.get("stock", "")
        find, stock_filter = normalise(request.args.get("find", "")), stock if stock in (LOW, WITHDRAWN) else ALL
        page = catalog.inventory(find, request.args.get("cursor") or None, stock_filter)
        fields = {"find": find, "stock": stock_filter, "cursor": page.next_cursor or ""}
        next_query = urlencode({name: value for name, value in fields.items() if value})
        return render_template(
            "catalog/admin_products.html",
            nav=catalog.departments(),
            page=page,
            find=find,
            stock_filter=stock_filter,
            next_url=f"/admin/products?{next_query}" if page.next_cursor else "",
        )

    @pages.get("/products/new")
    def new_product() -> Response:
        return _new(get_service(), {})

    @pages.post("/products/new")
    def add() -> AnyResponse:
        catalog, fields = get_service(), idempotency.form_fields()
        try:
            added = catalog.add(product_form.parse_new_product(fields))
        except ValidationError as error:
            return _new(catalog, fields, field_errors(error, FIELD_MESSAGES), 422)
        except InvalidFields as error:
            return _new(catalog, fields, _field_messages(error), 422)
        except StateConflict as error:
            return _new(catalog, fields, {"slug": error.detail}, 409)
        flash("Added. The store sells this product now.", "success")
        return redirect(f"/admin/products/{added.slug}", SEE_OTHER)

    @pages.get("/products/<slug>")
    def product(slug: str) -> Response:
        return _form(get_service(), slug)

    @pages.post("/products/<slug>")
    def save(slug: str) -> AnyResponse:
        return _save(get_service(), slug, idempotency.form_fields())

    @pages.post("/products/<slug>/withdraw")
    def withdraw(slug: str) -> AnyResponse:
        get_service().edit(slug, ProductChange(withdrawn=True))
        flash("Withdrawn. The store no longer sells this product. Its orders stay.", "success")
        return redirect(f"/admin/products/{slug}", SEE_OTHER)

    @pages.post("/products/<slug>/offer")
    def offer(slug: str) -> AnyResponse:
        get_service().edit(slug, ProductChange(withdrawn=False))
        flash("The store sells this product again.", "success")
        return redirect(f"/admin/products/{slug}", SEE_OTHER)

    return pages


def _save(catalog: CatalogService, slug: str, fields: FormFields) -> AnyResponse:
    form = product_form.form_from_request(fields)
    try:
        saved = catalog.edit(slug, product_form.parse_change(fields))
    except ValidationError as error:
        return _form(
            catalog, slug, product_form.form_from_request(fields), field_errors(error, FIELD_MESSAGES), status=422
        )
    except InvalidFields as error:
        return _form(catalog, slug, form, _field_messages(error), status=422)
    except EditConflict as error:
        row = catalog.stocked_product(slug)
        clashes = product_form.field_clashes(fields, row, error.errors)
        messages = {name: clash.message for name, clash in clashes.items()}
        return _form(catalog, slug, product_form.merge_changes(fields, row, clashes), messages, clashes, status=409)
    except StateConflict as error:
        field = "slug" if "slug" in error.errors else "on_hand"
        return _form(catalog, slug, form, {field: error.detail}, status=409)
    flash("Saved. The store shows the change now.", "success")
    return redirect(f"/admin/products/{saved.slug}", SEE_OTHER)


def _field_messages(error: InvalidFields) -> dict[str, str]:
    messages = {name.split(".")[0]: message for name, message in error.errors.items()}
    return {name: FIELD_MESSAGES.get(name, message) for name, message in messages.items()}


def _new(
    catalog: CatalogService, fields: FormFields, errors: Mapping[str, str] = NO_ERRORS, status: int = 200
) -> Response:
    departments = catalog.departments()
    categories = [
        (child["slug"], f"{department['name']}: {child['name']}")
        for department in departments
        for child in department["children"] or [department]
    ]
    html = render_template(
        "catalog/admin_new_product.html",
        nav=departments,
        form=fields,
        errors=product_form.in_page_order(errors),
        categories=[("", "Choose…"), *categories],
        max_stock=MAX_STOCK,
    )
    return make_response(html, status)


def _form(
    catalog: CatalogService,
    slug: str,
    form: FormValues | None = None,
    errors: Mapping[str, str] = NO_ERRORS,
    clashes: Mapping[str, FieldClash] = MappingProxyType({}),
    status: int = 200,
) -> Response:
    row = catalog.stocked_product(slug)
    html = render_template(
        "catalog/admin_product.html",
        nav=catalog.departments(),
        row=row,
        form=form or product_form.form_from_stored(row),
        errors=product_form.in_page_order(errors),
        clashes=clashes,
        max_stock=MAX_STOCK,
    )
    return make_response(html, status)
