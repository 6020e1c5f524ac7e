"""The pages of the cart. Each form posts a change and redirects to the cart."""

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


def create_pages(get_service: Callable[[], CartService]) -> Blueprint:
    """Build the pages.

    Args:
        get_service: returns the current request's cart service.
    """
    pages = Blueprint("cart", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get(CART)
    def cart() -> Page:
        return _render_cart(get_service(), {}, 200)

    @pages.post("/cart/items")
    def add_item() -> Page:
        owner = current_owner()
        try:
            added = get_service().add(
                owner, request.form.get("product", ""), _parse_quantity(request.form.get("quantity", "1"))
            )
        except StateConflict as error:
            flash(error.detail, "warning")
            return redirect(CART, 303)
        remember_cart(owner, added.cart_id)
        if added.note:
            flash(added.note, "info")
        return redirect(safe_redirect_path(request.form.get("next"), CART), 303)

    @pages.post("/cart/items/<slug>")
    def change_item(slug: str) -> Page:
        quantity = request.form.get("quantity", "")
        try:
            if request.form.get("action") == "remove" or quantity.strip() == "0":
                get_service().remove(current_owner(), slug)
            else:
                get_service().set_quantity(current_owner(), slug, _parse_quantity(quantity))
        except InvalidFields as error:
            return _render_cart(get_service(), {slug: error.errors["quantity"]}, 422)
        except ProductWithdrawn:  # the cart's line shows it
            return _render_cart(get_service(), {}, 410)
        return redirect(CART, 303)

    return pages


def _render_cart(carts: CartService, errors: Mapping[str, str], status: int) -> Page:
    data = {"cart": carts.view(current_owner()), "errors": errors, "max_quantity": MAX_QUANTITY}
    return render_template("cart/cart.html", **data), status


def _parse_quantity(text: str) -> int:
    """Parse a form's quantity; the service validates its range.

    Raises:
        InvalidFields: the text is no whole number.
    """
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_QUANTITY)) + 1):
        raise InvalidFields("The quantity is invalid.", errors={"quantity": WRONG_QUANTITY})
    return int(text)
