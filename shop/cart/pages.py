"""The cart, for people. Every change is a form that posts and comes back to the cart."""

from collections.abc import Callable, Mapping

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from shop.cart.models import MAX_QUANTITY
from shop.cart.service import CartService
from shop.cart.sessions import current_owner, remember_cart
from shop.errors import InvalidFields, ProductWithdrawn, StateConflict
from shop.web.private_response import keep_private
from shop.web.redirects import safe_redirect_path

CART = "/cart"
WRONG_QUANTITY = f"Choose 1 to {MAX_QUANTITY}."

Page = tuple[str, int] | AnyResponse


def create_pages(use: Callable[[], CartService]) -> Blueprint:
    """Build the pages.

    Args:
        use: returns the carts of the request being served.
    """
    pages = Blueprint("cart", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get(CART)
    def cart() -> Page:
        return _show(use(), {}, 200)

    @pages.post("/cart/items")
    def add_item() -> Page:
        owner = current_owner()
        try:
            added = use().add(owner, request.form.get("product", ""), _quantity(request.form.get("quantity", "1")))
        except StateConflict as full:
            flash(full.detail, "warning")
            return redirect(CART, 303)
        remember_cart(owner, added.cart_id)
        if added.note:
            flash(added.note, "info")
        return redirect(safe_redirect_path(request.form.get("next"), CART), 303)

    @pages.post("/cart/items/<slug>")
    def change_item(slug: str) -> Page:
        given = request.form.get("quantity", "")
        try:
            if request.form.get("action") == "remove" or given.strip() == "0":
                use().remove(current_owner(), slug)
            else:
                use().set_quantity(current_owner(), slug, _quantity(given))
        except InvalidFields as error:
            return _show(use(), {slug: error.errors["quantity"]}, 422)
        except ProductWithdrawn:  # the line says so itself
            return _show(use(), {}, 410)
        return redirect(CART, 303)

    return pages


def _show(carts: CartService, errors: Mapping[str, str], status: int) -> Page:
    shown = {"cart": carts.view(current_owner()), "errors": errors, "max_quantity": MAX_QUANTITY}
    return render_template("cart/cart.html", **shown), status


def _quantity(given: str) -> int:
    """Read a form's quantity; its range is the service's business.

    Raises:
        InvalidFields: it is no whole number.
    """
    given = given.strip()
    if not (given.isascii() and given.isdecimal() and len(given) <= len(str(MAX_QUANTITY)) + 1):
        raise InvalidFields("The quantity is not right.", errors={"quantity": WRONG_QUANTITY})
    return int(given)
