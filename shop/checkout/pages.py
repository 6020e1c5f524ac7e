"""The checkout for people. A form carries its key with it, so a double click or the back button buys once."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, flash, make_response, redirect, render_template, request
from flask import Response as FlaskResponse
from werkzeug.wrappers import Response

from shop.cart.cart_lines import CartView
from shop.cart.service import CartService
from shop.cart.sessions import current_owner
from shop.checkout.agreement import PurchaseAgreement, lines_fingerprint
from shop.checkout.cancellation import OrderCancellation
from shop.checkout.details import read_form
from shop.checkout.service import CheckoutService, DeclinedCheckout, EarlierCheckoutPaid, PaidOrder
from shop.checkout.test_cards import TEST_CARDS, refuse_test_card
from shop.errors import (
    AlreadyPaid,
    CartChanged,
    InvalidFields,
    OutOfStock,
    ProviderUnavailable,
    ServiceUnavailable,
    StateConflict,
)
from shop.orders.countries import COUNTRIES
from shop.orders.order_access import viewer
from shop.web import idempotency
from shop.web.identity import current_identity
from shop.web.private_response import keep_private
from shop.web.problems import DEFAULT_RETRY_AFTER_S

CART = "/cart"
DECLINED = "Your card was declined. Nothing was charged; choose another card and try again."
USED = "This form had been sent before. Please check it and send it again."

Cards = tuple[tuple[str, str, str], ...]
Page = Response | tuple[str, int] | tuple[str, int, dict[str, str]]


@dataclass(frozen=True, slots=True)
class _FormValues:
    """What the form says when it comes back."""

    status: int
    kind: str = ""
    notice: str = ""
    errors: Mapping[str, str] | None = None
    keep_key: bool = False


def create_pages(
    use: Callable[[], CheckoutService],
    cancellation: Callable[[], OrderCancellation],
    carts: Callable[[], CartService],
    renew_guest: Callable[[], None],
    *,
    test_cards: bool = True,
) -> Blueprint:
    """Build the pages.

    Args:
        use: returns the checkout of the request being served.
        cancellation: returns its cancellation.
        carts: returns its carts.
        renew_guest: gives a guest a new id to order under, as each form is shown.
        test_cards: whether the simulator's cards are offered and taken (the lab profile).
    """
    cards = TEST_CARDS if test_cards else ()
    pages = Blueprint("checkout", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get("/checkout")
    def form() -> Page:
        renew_guest()
        return _form(carts().view(current_owner()), _known(), _FormValues(200), cards)

    @pages.post("/checkout")
    @idempotency.multi_transaction(required=True)
    def submit() -> Page:
        said = _submit(use(), cards)
        if isinstance(said, _FormValues):
            return _form(carts().view(current_owner()), request.form, said, cards)
        return said

    @pages.post("/orders/<string:public_id>/cancel")
    @idempotency.multi_transaction()
    def cancel(public_id: str) -> Page:
        try:
            guard = idempotency.current_key().lease(lambda session, cancelled: _to_order(cancelled))
            cancellation().cancel(viewer(), public_id, guard)
        except (StateConflict, ProviderUnavailable) as refusal:
            flash(refusal.detail, "warning")
        return _to_order(public_id)

    return pages


def _submit(checkout: CheckoutService, cards: Cards) -> Response | _FormValues:
    """Send the form, and say what became of it."""
    key = idempotency.current_key()
    try:
        details = read_form(request.form)
        if not cards:
            refuse_test_card(details.payment.token)
        guard = key.lease(
            lambda session, told: _to_order(told.result.public_id) if isinstance(told.result, PaidOrder) else None,
            details.fingerprint(),
        )
        result = checkout.submit(current_owner(), key.key, details, _agreement(), guard)
    except InvalidFields as refusal:
        if "cart" in refusal.errors:
            return redirect(CART, 303)
        if "Idempotency-Key" in refusal.errors:
            return _FormValues(422, "warning", USED)
        return _FormValues(422, errors=refusal.errors)
    except OutOfStock:
        return redirect(CART, 303)  # where each line says what is left of it
    except AlreadyPaid:
        raise  # there is nothing left to send: its page says so
    except CartChanged as refusal:
        return _FormValues(409, "warning", refusal.detail)
    except StateConflict as refusal:
        return _FormValues(409, "warning", refusal.detail, keep_key=True)
    except ServiceUnavailable as refusal:  # ours included: who paid and saw no answer must come back with the same key
        return _FormValues(503, "danger", refusal.detail, keep_key=True)
    if isinstance(result, DeclinedCheckout):
        return _FormValues(402, "danger", DECLINED)
    return _to_order(result.public_id, "?earlier" if isinstance(result, EarlierCheckoutPaid) else "")


def _to_order(public_id: str, query: str = "") -> FlaskResponse:
    """Lead to an order's page, which says what came of it; a flashed message would write the cookie."""
    return make_response(redirect(f"/orders/{public_id}{query}", 303))


def _form(cart: CartView, given: Mapping[str, str], said: _FormValues, cards: Cards) -> Page:
    if not cart.can_be_bought and not said.keep_key:
        return redirect(CART, 303)
    page = render_template(
        "checkout/checkout.html",
        cart=cart,
        form=given,
        errors=said.errors or {},
        notice=said,
        key=given["key"] if said.keep_key else uuid.uuid4().hex,
        lines=lines_fingerprint(cart.lines) if cart.lines else given.get("lines", ""),
        countries=[("", "Choose a country"), *COUNTRIES.items()],
        cards=cards,
        chosen=given.get("token") or (cards[0][0] if cards else ""),
    )
    return page, said.status, {"Retry-After": str(DEFAULT_RETRY_AFTER_S)} if said.status == 503 else {}


def _known() -> Mapping[str, str]:
    identity = current_identity()
    return {"email": identity.email, "name": identity.name} if identity else {}


def _agreement() -> PurchaseAgreement:
    """Return the lines the shopper saw. A form that names none agrees to nothing, and is shown again with the cart."""
    return PurchaseAgreement(lines=request.form.get("lines", ""))
