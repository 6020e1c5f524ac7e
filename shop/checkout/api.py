"""API routes: buy a cart, and cancel an order."""

from collections.abc import Callable

from flask import Response, make_response
from flask_openapi3 import Tag
from pydantic import Field
from sqlalchemy.orm import Session

from shop.cart.api import CartAnswer, cart_answer
from shop.cart.service import CartService
from shop.cart.sessions import current_owner
from shop.checkout.cancellation import OrderCancellation
from shop.checkout.demo_cards import refuse_test_card
from shop.checkout.details import CheckoutDetails
from shop.checkout.service import CheckoutService, DeclinedCheckout, EarlierCheckoutPaid, PaidOrder, ResponseContext
from shop.errors import CartChanged, StateConflict
from shop.orders.api import OrderPath, problem_responses
from shop.orders.order_access import current_viewer
from shop.orders.schemas import OrderBody, OrderSchema, order_json
from shop.orders.service import OrderService, OrdersWithProducts
from shop.web import idempotency
from shop.web.openapi import AUTH_OPTIONAL, ApiBlueprint, sends
from shop.web.private_response import keep_private
from shop.web.problems import problem_document
from shop.web.schemas import ProblemDetails

TAG = Tag(name="checkout", description="From the cart to a paid order, and back.")
EARLIER = "An earlier checkout of this cart is paid after all: see your orders. Nothing was ordered a second time."
DECLINED = "The card was declined. Nothing was charged and nothing was ordered."


class CheckoutProblem(ProblemDetails):
    """The problem document of a refused checkout; it has the cart if the cart differs from the agreement."""

    cart: CartAnswer | None = Field(default=None, description="The current cart; with `cart-changed`.")


def create_api(
    get_service: Callable[[], CheckoutService],
    cancellation: Callable[[], OrderCancellation],
    orders: Callable[[], OrderService],
    carts: Callable[[], CartService],
    *,
    test_cards: bool = True,
) -> ApiBlueprint:
    """Build the blueprint.

    Args:
        get_service: returns the checkout service of the current request.
        cancellation: returns its cancellation service.
        orders: returns its order service.
        carts: returns its cart service.
        test_cards: whether the simulator's cards are accepted (the lab profile).
    """
    api = ApiBlueprint("checkout_api", __name__, url_prefix="/api/v1", abp_tags=[TAG], abp_security=AUTH_OPTIONAL)
    api.after_request(keep_private)

    @api.post(
        "/checkout",
        summary="Buy the cart",
        responses={201: OrderBody, 409: CheckoutProblem, **problem_responses(400, 402, 422, 503)},
    )
    @idempotency.multi_transaction(required=True)
    @sends("Location")
    def checkout(body: CheckoutDetails) -> Response:
        """Place an order and pay for it; a declined card cancels the order. The same key never buys twice."""
        if not test_cards:
            refuse_test_card(body.payment.token)
        key = idempotency.current_key()

        def build_response(session: Session, context: ResponseContext) -> Response:
            # The transaction has the order already, so its id is not needed.
            return _build_response(context.result, lambda _public_id: orders().with_products(session, context.order))

        lease = key.lease(build_response, body.fingerprint())
        try:
            result = get_service().submit(current_owner(), key.key, body, body.agreement, lease)
        except CartChanged as refusal:
            cart = cart_answer(carts().view(current_owner())).model_dump()
            return problem_document(409, CartChanged.problem, refusal.detail, extension={"cart": cart})
        if isinstance(result, EarlierCheckoutPaid):
            raise StateConflict(EARLIER)
        return key.response or _build_response(result, orders().detail_for_buyer)

    @api.post(
        "/orders/<string:id>/cancel",
        operation_id="cancel_order",
        summary="Cancel an order",
        responses={200: OrderSchema, 202: OrderSchema, **problem_responses(404, 409, 503)},
    )
    @idempotency.multi_transaction()
    def cancel(path: OrderPath) -> Response:
        """Cancel an own order that is not shipped: 200 if it is refunded, 202 while the refund is due."""
        key = idempotency.current_key()
        lease = key.lease(lambda session, public_id: _cancelled(orders().detail_in_session(session, public_id)))
        cancellation().cancel(current_viewer(), path.id, lease)
        return key.response or _cancelled(orders().detail(current_viewer(), path.id))

    return api


def _build_response(result: PaidOrder | DeclinedCheckout, load_order: Callable[[str], OrdersWithProducts]) -> Response:
    if isinstance(result, DeclinedCheckout):
        response = problem_document(402, "payment-declined", DECLINED)
    else:
        order = order_json(load_order(result.public_id))
        response = make_response(OrderBody(order=order).model_dump(mode="json"), 201)
        response.headers["Location"] = f"/api/v1/orders/{result.public_id}"
    if result.replayed:
        response.headers[idempotency.REPLAYED_HEADER] = "true"
    return response


def _cancelled(page: OrdersWithProducts) -> Response:
    order = order_json(page)
    return make_response(order.model_dump(mode="json"), 202 if order.refund_pending else 200)
