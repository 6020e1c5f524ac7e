"""The staff's page of orders: what waits to be sent, what is on its way, and whose money could not go back."""

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

PAGE = 25
OWED = "owed"
"""Value of the query parameter ``refund`` that asks for the orders whose money is to go back."""
ADMIN_ORDERS = "/admin/orders"


def create_admin(use: Callable[[], OrderService], close_refund: CloseRefund) -> Blueprint:
    """Build the pages.

    Args:
        use: returns the service of the request being served.
        close_refund: stops owing a refund that staff has settled in another way.
    """
    pages = Blueprint("admin_orders", __name__, template_folder="templates")
    pages.before_request(_staff_only)
    pages.after_request(keep_private)

    @pages.get(ADMIN_ORDERS)
    def orders() -> str:
        given = request.args.get("status", "")
        status = OrderStatus(given) if given in set(OrderStatus) else None
        only_owed = request.args.get("refund") == OWED
        shown = use().list_all(status, request.args.get("cursor"), PAGE, only_owed=only_owed)
        return render_template(
            "orders/admin.html",
            shown=shown,
            counts=use().counts(),
            statuses=list(OrderStatus),
            chosen=status,
            owed=use().owed_count(),
            only_owed=only_owed,
            here=_address(status, request.args.get("cursor"), only_owed=only_owed),
            next_url=_address(status, shown.next_cursor, only_owed=only_owed) if shown.next_cursor else "",
        )

    @pages.post(f"{ADMIN_ORDERS}/<string:public_id>/ship")
    def ship(public_id: str) -> Response:
        return _done(lambda: use().ship(public_id), "Marked as shipped.")

    @pages.post(f"{ADMIN_ORDERS}/<string:public_id>/deliver")
    def deliver(public_id: str) -> Response:
        return _done(lambda: use().deliver(public_id), "Marked as delivered.")

    @pages.post(f"{ADMIN_ORDERS}/<string:public_id>/close-refund")
    def close(public_id: str) -> Response:
        closed_by, given = require_role(ADMIN).user_id, request.form.get("reason", "")
        return _done(lambda: close_refund(public_id, closed_by, read_reason(given)), "The refund is closed.")

    return pages


def read_reason(given: str) -> str:
    """Return why a refund is closed, as it is written down.

    Raises:
        InvalidFields: nothing is said, too much, or what no database can hold.
    """
    reason = given.strip()
    if not 0 < len(reason) <= MAX_REASON_LENGTH or "\0" in reason:
        wrong = f"Say how it was settled, in 1 to {MAX_REASON_LENGTH} characters."
        raise InvalidFields(wrong, errors={"reason": wrong})
    return reason


def _staff_only() -> None:
    require_role(ADMIN)


def _done(change: Callable[[], None], said: str) -> Response:
    """Make a change and go back to the list, saying how it went."""
    try:
        change()
    except (StateConflict, InvalidFields) as refusal:
        flash(refusal.detail, "warning")
    else:
        flash(said, "success")
    return redirect(safe_redirect_path(request.form.get("next"), ADMIN_ORDERS), 303)


def _address(status: OrderStatus | None, cursor: str | None, *, only_owed: bool) -> str:
    given = {"status": status.value if status else None, "refund": OWED if only_owed else None, "cursor": cursor}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"{ADMIN_ORDERS}?{query}" if query else ADMIN_ORDERS
