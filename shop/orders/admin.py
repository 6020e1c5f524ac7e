"""The staff's page of orders: what waits to be sent, and what is on its way."""

from collections.abc import Callable
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response

from shop.errors import Conflict
from shop.orders.service import Orders
from shop.orders.transitions import Status
from shop.orders.viewers import keep_private
from shop.web.identity import ADMIN, require_role
from shop.web.redirects import local_path

PAGE = 25
ADMIN_ORDERS = "/admin/orders"


def create_admin(use: Callable[[], Orders]) -> Blueprint:
    """Build the pages.

    Args:
        use: returns the service of the request being served.
    """
    pages = Blueprint("admin_orders", __name__, template_folder="templates")
    pages.before_request(_staff_only)
    pages.after_request(keep_private)

    @pages.get(ADMIN_ORDERS)
    def orders() -> str:
        given = request.args.get("status", "")
        status = Status(given) if given in set(Status) else None
        shown = use().everybodys(status, request.args.get("cursor"), PAGE)
        return render_template(
            "orders/admin.html",
            shown=shown,
            counts=use().counts(),
            statuses=list(Status),
            chosen=status,
            here=_address(status, request.args.get("cursor")),
            next_url=_address(status, shown.next_cursor) if shown.next_cursor else "",
        )

    @pages.post(f"{ADMIN_ORDERS}/<string:public_id>/ship")
    def ship(public_id: str) -> Response:
        return _done(lambda: use().ship(public_id), "Marked as shipped.")

    @pages.post(f"{ADMIN_ORDERS}/<string:public_id>/deliver")
    def deliver(public_id: str) -> Response:
        return _done(lambda: use().deliver(public_id), "Marked as delivered.")

    return pages


def _staff_only() -> None:
    require_role(ADMIN)


def _done(change: Callable[[], None], said: str) -> Response:
    """Make a change and go back to the list, saying how it went."""
    try:
        change()
    except Conflict as refusal:
        flash(refusal.detail, "warning")
    else:
        flash(said, "success")
    return redirect(local_path(request.form.get("next"), ADMIN_ORDERS), 303)


def _address(status: Status | None, cursor: str | None) -> str:
    given = {"status": status.value if status else None, "cursor": cursor}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"{ADMIN_ORDERS}?{query}" if query else ADMIN_ORDERS
