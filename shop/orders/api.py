"""API routes of orders."""

from collections.abc import Callable
from typing import Any

from flask_openapi3 import Tag
from pydantic import Field

from shop.errors import AuthenticationRequired
from shop.orders.order_access import SIGN_IN, current_viewer, require_viewer
from shop.orders.schemas import OrderPage, OrderSchema, order_json, orders_json
from shop.orders.service import MAX_REASON_LENGTH, CloseRefund, OrderService
from shop.web.access_control import needs, needs_role
from shop.web.identity import ADMIN, require_identity
from shop.web.openapi import AUTH_OPTIONAL, AUTH_REQUIRED, ApiBlueprint
from shop.web.private_response import keep_private
from shop.web.schemas import ApiModel, ProblemDetails

TAG = Tag(name="orders", description="Own orders, and shipping.")
DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_NO_NUL = r"^[^\x00]*$"


class OrderPath(ApiModel):
    """The order's id in the path."""

    id: str = Field(pattern=_NO_NUL)


class PageQuery(ApiModel):
    """The cursor and the size of a page."""

    cursor: str | None = Field(default=None, pattern=_NO_NUL, description="``next_cursor`` of the page before.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)


def problem_responses(*statuses: int) -> dict[str | int, Any]:
    """Return the problem responses of a route, for the OpenAPI document."""
    return {
        status: {"content": {"application/problem+json": {"schema": ProblemDetails.model_json_schema()}}}
        for status in statuses
    }


class CloseRefundBody(ApiModel):
    """The reason for closing a refund that the provider does not make."""

    reason: str = Field(
        min_length=1,
        max_length=MAX_REASON_LENGTH,
        pattern=_NO_NUL,
        description="It stays in the order's history for good, so do not name a person.",
    )


def create_api(get_service: Callable[[], OrderService], close_refund: CloseRefund) -> ApiBlueprint:
    """Build the blueprint.

    Args:
        get_service: returns the service of the request being served.
        close_refund: closes a refund that staff has settled in another way.
    """
    api = ApiBlueprint("orders_api", __name__, url_prefix="/api/v1", abp_tags=[TAG])
    api.after_request(keep_private)

    @api.get(
        "/orders",
        operation_id="list_orders",
        summary="Own orders",
        security=AUTH_REQUIRED,
        responses={200: OrderPage, **problem_responses(422)},
    )
    @needs(require_viewer)
    def own_orders(query: PageQuery) -> dict[str, Any]:
        """Return the orders of the account, or of this browser's guest; newest first."""
        viewer = current_viewer()
        page = get_service().list_own(viewer, query.cursor, query.limit)
        if viewer.user_id is None and not page.orders:
            raise AuthenticationRequired(SIGN_IN)
        return OrderPage(items=orders_json(page), next_cursor=page.next_cursor).model_dump(mode="json")

    @api.get(
        "/orders/<string:id>",
        operation_id="get_order",
        summary="One order",
        security=AUTH_OPTIONAL,
        responses={200: OrderSchema, **problem_responses(404)},
    )
    def one_order(path: OrderPath) -> dict[str, Any]:
        """Return one of the client's own orders."""
        return order_json(get_service().detail(current_viewer(), path.id)).model_dump(mode="json")

    @api.post(
        "/admin/orders/<string:id>/ship",
        operation_id="ship_order",
        summary="Ship an order",
        security=AUTH_REQUIRED,
        responses={200: OrderSchema, **problem_responses(403, 404, 409)},
    )
    @needs_role(ADMIN)
    def ship(path: OrderPath) -> dict[str, Any]:
        """Ship a paid order; needs the role ``admin``."""
        get_service().ship(path.id)
        return order_json(get_service().detail(current_viewer(), path.id)).model_dump(mode="json")

    @api.post(
        "/admin/orders/<string:id>/close-refund",
        operation_id="close_refund",
        summary="Close a refund that the provider does not make",
        security=AUTH_REQUIRED,
        responses={200: OrderSchema, **problem_responses(403, 404, 409, 422)},
    )
    @needs_role(ADMIN)
    def close(path: OrderPath, body: CloseRefundBody) -> dict[str, Any]:
        """Close the refund of a cancelled order, settled in another way; needs the role ``admin``."""
        close_refund(path.id, require_identity().user_id, body.reason)
        return order_json(get_service().detail(current_viewer(), path.id)).model_dump(mode="json")

    return api
