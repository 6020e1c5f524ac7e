"""The order list of staff: filters by status and by due refunds, and buttons to ship, deliver and close refunds."""

from collections.abc import Callable
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from shop.errors import InvalidFields, StateConflict
from shop.orders.service import MAX_REASON_LENGTH, CloseRefund, OrderService
from shop.orders.transitions import OrderStatus
from shop.web.identity import ADMIN, require_role
from shop.web.private_response import keep_private
from shop.web.redirects import safe_redirect_path

PAGE_SIZE = 25
REFUND_OWED = "owed"
"""Value of the query parameter ``refund`` that selects orders with a due refund."""
ADMIN_ORDERS = "/admin/orders"


def create_admin(get_service: Callable[[], OrderService], close_refund: CloseRefund) -> Blueprint:
    """Build the pages.

    Args:
        get_service: returns the order service of the current request.
        close_refund: closes a refund that staff has settled in another way.
    """
    pages = Blueprint("admin_orders", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.before_request
    def require_staff() -> None:
        require_role(ADMIN)

    @pages.get(ADMIN_ORDERS)
    def orders() -> str:
        status_text = request.args.get("status", "")
        status = OrderStatus(status_text) if status_text in set(OrderStatus) else None
        only_owed = request.args.get("refund") == REFUND_OWED
        page = get_service().list_all(status, request.args.get("cursor"), PAGE_SIZE, only_owed=only_owed)
        return render_template(
            "orders/admin.html",
            page=page,
            counts=get_service().count_by_status(),
            statuses=list(OrderStatus),
            chosen=status,
            owed=get_service().count_owed_refunds(),
            only_owed=only_owed,
            here=_list_url(status, request.args.get("cursor"), only_owed=only_owed),
            next_url=_list_url(status, page.next_cursor, only_owed=only_owed) if page.next_cursor else "",
        )

    @pages.post(f"{ADMIN_ORDERS}/<string:public_id>/ship")
    def ship(public_id: str) -> Response:
        return _change(lambda: get_service().ship(public_id), "Marked as shipped.")

    @pages.post(f"{ADMIN_ORDERS}/<string:public_id>/deliver")
    def deliver(public_id: str) -> Response:
        return _change(lambda: get_service().deliver(public_id), "Marked as delivered.")

    @pages.post(f"{ADMIN_ORDERS}/<string:public_id>/close-refund")
    def close(public_id: str) -> Response:
        closed_by, text = require_role(ADMIN).user_id, request.form.get("reason", "")
        return _change(lambda: close_refund(public_id, closed_by, read_reason(text)), "The refund is closed.")

    return pages


def read_reason(text: str) -> str:
    """Validate the reason why a refund is closed.

    Raises:
        InvalidFields: the reason is empty, too long, or has a character that the database cannot store.
    """
    reason = text.strip()
    if not 0 < len(reason) <= MAX_REASON_LENGTH or "\0" in reason:
        message = f"Say how it was settled, in 1 to {MAX_REASON_LENGTH} characters."
        raise InvalidFields(message, errors={"reason": message})
    return reason


def _change(change: Callable[[], None], message: str) -> Response:
    """Make a change, and redirect to the list with a message about the result."""
    try:
        change()
    except (StateConflict, InvalidFields) as refusal:
        flash(refusal.detail, "warning")
    else:
        flash(message, "success")
    return redirect(safe_redirect_path(request.form.get("next"), ADMIN_ORDERS), 303)


def _list_url(status: OrderStatus | None, cursor: str | None, *, only_owed: bool) -> str:
    arguments = {
        "status": status.value if status else None,
        "refund": REFUND_OWED if only_owed else None,
        "cursor": cursor,
    }
    query = urlencode({name: value for name, value in arguments.items() if value})
    return f"{ADMIN_ORDERS}?{query}" if query else ADMIN_ORDERS
