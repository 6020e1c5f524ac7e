"""The checkout page. The form has its own idempotency key, so a double click or the back button buys once."""

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
from shop.checkout.demo_cards import LOST_ANSWER, TEST_ADDRESS, TEST_CARDS, refuse_test_card
from shop.checkout.details import read_form
from shop.checkout.service import CheckoutService, DeclinedCheckout, EarlierCheckoutPaid, PaidOrder
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
from shop.orders.order_access import current_viewer
from shop.web import idempotency
from shop.web.identity import current_identity
from shop.web.private_response import keep_private
from shop.web.problems import DEFAULT_RETRY_AFTER_S

CART = "/cart"
DECLINED = "Your card was declined. Nothing was charged; choose another card and try again."
KEY_REUSED = "This form had been sent before. Please check it and send it again."

Cards = tuple[tuple[str, str, str], ...]
Page = Response | tuple[str, int] | tuple[str, int, dict[str, str]]


@dataclass(frozen=True, slots=True)
class _FormState:
    """Status and messages of the form when the store shows it again."""

    status: int
    kind: str = ""
    notice: str = ""
    errors: Mapping[str, str] | None = None
    keep_key: bool = False


def create_pages(
    get_service: Callable[[], CheckoutService],
    cancellation: Callable[[], OrderCancellation],
    carts: Callable[[], CartService],
    renew_guest: Callable[[], None],
    *,
    test_cards: bool = True,
) -> Blueprint:
    """Build the pages.

    Args:
        get_service: returns the checkout service of the current request.
        cancellation: returns its cancellation service.
        carts: returns its cart service.
        renew_guest: gives a guest a new id for the order, each time the form is shown.
        test_cards: whether the simulator's cards are offered and accepted (the lab profile).
    """
    cards = TEST_CARDS if test_cards else ()
    pages = Blueprint("checkout", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get("/checkout")
    def form() -> Page:
        renew_guest()
        identity = current_identity()
        known_fields = {"email": identity.email, "name": identity.name} if identity else {}
        if cards and request.args.get("address") == "test":
            known_fields = TEST_ADDRESS | known_fields
        return _render_form(carts().view(current_owner()), known_fields, _FormState(200), cards)

    @pages.post("/checkout")
    @idempotency.multi_transaction(required=True)
    def submit() -> Page:
        result = _submit(get_service(), cards)
        if isinstance(result, _FormState):
            return _render_form(carts().view(current_owner()), request.form, result, cards)
        return result

    @pages.post("/orders/<string:public_id>/cancel")
    @idempotency.multi_transaction()
    def cancel(public_id: str) -> Page:
        try:
            lease = idempotency.current_key().lease(lambda session, cancelled_id: _redirect_to_order(cancelled_id))
            cancellation().cancel(current_viewer(), public_id, lease)
        except (StateConflict, ProviderUnavailable) as refusal:
            flash(refusal.detail, "warning")
        return _redirect_to_order(public_id)

    return pages


def _submit(checkout: CheckoutService, cards: Cards) -> Response | _FormState:
    """Submit the form. Return a redirect, or the state in which the form is shown again."""
    key = idempotency.current_key()
    try:
        details = read_form(request.form)
        if not cards:
            refuse_test_card(details.payment.token)
        story = "?lost-answer" if cards and details.payment.token == LOST_ANSWER else ""
        lease = key.lease(
            lambda session, context: (
                _redirect_to_order(context.result.public_id, story) if isinstance(context.result, PaidOrder) else None
            ),
            details.fingerprint(),
        )
        # a form without this field agrees to no lines, so the store shows it again with the current cart
        agreement = PurchaseAgreement(lines=request.form.get("lines", ""))
        result = checkout.submit(current_owner(), key.key, details, agreement, lease)
    except InvalidFields as refusal:
        if "cart" in refusal.errors:
            return redirect(CART, 303)
        if "Idempotency-Key" in refusal.errors:
            return _FormState(422, "warning", KEY_REUSED)
        return _FormState(422, errors=refusal.errors)
    except OutOfStock:
        return redirect(CART, 303)  # the cart shows the available quantity of each line
    except AlreadyPaid:
        raise  # the shopper must not send the form again: the error page says so
    except CartChanged as refusal:
        return _FormState(409, "warning", refusal.detail)
    except StateConflict as refusal:
        return _FormState(409, "warning", refusal.detail, keep_key=True)
    except (
        ServiceUnavailable
    ) as refusal:  # also our own failure: a shopper who paid without a response must send the same key again
        return _FormState(503, "danger", refusal.detail, keep_key=True)
    if isinstance(result, DeclinedCheckout):
        return _FormState(402, "danger", DECLINED)
    return _redirect_to_order(result.public_id, "?earlier" if isinstance(result, EarlierCheckoutPaid) else story)


def _redirect_to_order(public_id: str, query: str = "") -> FlaskResponse:
    """Redirect to the order's page, which shows the result. A flashed message would write the cookie."""
    return make_response(redirect(f"/orders/{public_id}{query}", 303))


def _render_form(cart: CartView, fields: Mapping[str, str], state: _FormState, cards: Cards) -> Page:
    if not cart.can_be_bought and not state.keep_key:
        return redirect(CART, 303)
    page = render_template(
        "checkout/checkout.html",
        cart=cart,
        form=fields,
        errors=state.errors or {},
        notice=state,
        key=fields["key"] if state.keep_key else uuid.uuid4().hex,
        lines=lines_fingerprint(cart.lines) if cart.lines else fields.get("lines", ""),
        countries=[("", "Choose a country"), *COUNTRIES.items()],
        cards=cards,
        chosen=fields.get("token") or (cards[0][0] if cards else ""),
    )
    return page, state.status, {"Retry-After": str(DEFAULT_RETRY_AFTER_S)} if state.status == 503 else {}
