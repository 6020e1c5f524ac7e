"""The store's back office: products and stock, for the role admin. The orders' part is theirs."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request
from pydantic import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from shop.catalog.forms import decimal, faults, minor_units, whole_number
from shop.catalog.requests import MAX_STOCK, ProductEdit
from shop.catalog.search import tidy
from shop.catalog.service import Catalog
from shop.errors import Conflict, Invalid
from shop.web import idempotency
from shop.web.identity import ADMIN, require_role

SEE_OTHER = 303
WORDS = {
    "title": "Between 1 and 200 characters.",
    "description": "Between 1 and 10,000 characters.",
    "on_hand": f"A whole number between 0 and {MAX_STOCK:,}.",
    "price": "Between €0.01 and €1,000,000.",
}
Given = dict[str, str]


def create_admin(use: Callable[[], Catalog]) -> Blueprint:
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

    @pages.get("/products/<slug>")
    def product(slug: str) -> Response:
        return _form(use(), slug)

    @pages.post("/products/<slug>")
    def save(slug: str) -> AnyResponse:
        return _save(use(), slug, idempotency.fields())

    return pages


def _only_admins() -> None:
    require_role(ADMIN)


def _keep_private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _list(catalog: Catalog) -> str:
    find, low = tidy(request.args.get("find", "")), request.args.get("stock") == "low"
    page = catalog.inventory(find, request.args.get("cursor") or None, low=low)
    fields = {"find": find, "stock": "low" if low else "", "cursor": page.next_cursor or ""}
    following = urlencode({name: value for name, value in fields.items() if value})
    return render_template(
        "catalog/admin_products.html",
        nav=catalog.departments(),
        page=page,
        find=find,
        low=low,
        next_url=f"/admin/products?{following}" if page.next_cursor else "",
    )


def _save(catalog: Catalog, slug: str, given: Given) -> AnyResponse:
    try:
        counted_from = whole_number(given.get("counted_from", ""))
        catalog.edit(slug, replace(_edit(given).edit(), counted_from=counted_from))
    except ValidationError as error:
        return _form(catalog, slug, given, faults(error, WORDS), 422)
    except Invalid as error:
        wrong = {name.split(".")[0]: words for name, words in error.errors.items()}
        return _form(catalog, slug, given, {name: WORDS.get(name, words) for name, words in wrong.items()}, 422)
    except Conflict as error:
        newly_counted = given | {"counted_from": str(catalog.stocked(slug).on_hand)}
        return _form(catalog, slug, newly_counted, {"on_hand": error.detail}, 409)
    flash("Saved. The store shows it from now on.", "success")
    return redirect(f"/admin/products/{slug}", SEE_OTHER)


def _edit(given: Given) -> ProductEdit:
    """Read the form.

    Raises:
        Invalid: the price is not one.
        ValidationError: another field is wrong.
    """
    amount = minor_units(given.get("price", ""))
    if amount is None:
        raise Invalid("That is no price.", errors={"price": "Write a price such as 12.99."})
    return ProductEdit.model_validate(
        {
            "price": {"amount": amount},
            "title": given.get("title", ""),
            "description": given.get("description", "").replace("\r\n", "\n"),
            "on_hand": given.get("on_hand", ""),
        }
    )


def _form(
    catalog: Catalog, slug: str, given: Given | None = None, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    row = catalog.stocked(slug)
    shown = given or {
        "title": row.title,
        "description": row.description,
        "price": decimal(row.price.amount),
        "on_hand": str(row.on_hand),
        "counted_from": str(row.on_hand),
    }
    html = render_template(
        "catalog/admin_product.html",
        nav=catalog.departments(),
        row=row,
        form=shown,
        errors=errors or {},
        max_stock=MAX_STOCK,
    )
    return make_response(html, status)
