"""The pages of a guest's link: the page that the link opens, and the form that requests the link again.

The token comes in the query, which access logs leave out. The store exchanges it at once for a pass cookie and
redirects, so the URL of the shown page has no token: linked pages do not learn it, and the browser's history has only a
URL that needs the cookie.
"""

from collections.abc import Callable, Mapping

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from shop.errors import InvalidFields, NotFound
from shop.orders.link_requests import MIN_INTERVAL, LinkRequests
from shop.orders.links import LINK_LIFETIME, LINK_PATH
from shop.orders.order_access import order_links, set_pass_cookie, viewer_with_link
from shop.orders.service import OrderService
from shop.web import request_middleware
from shop.web.private_response import keep_private
from shop.web.problems import STATUS

FORM = "/orders/link"
INVALID_LINK = (
    f"This link opens no order: it is older than {LINK_LIFETIME.days} days, a part of it is missing, or the order is in"
    " an account now."
)
"""The same message for every invalid link, including a forged one."""
SENT = (
    "If a guest ordered under this number and address, a mail with the link is on its way. We send it at most once in"
    f" {MIN_INTERVAL.seconds // 60} minutes. Is the order in your account? Then sign in to see it."
)


def create_link_pages(orders: Callable[[], OrderService], requests: Callable[[], LinkRequests]) -> Blueprint:
    """Build the pages.

    Args:
        orders: returns the order service of the current request.
        requests: returns its link requests.
    """
    pages = Blueprint("order_links", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get(LINK_PATH)
    def follow() -> Response | tuple[str, int]:
        request_middleware.suppress_referrer()
        public_id = order_links().read_link(request.args.get("token", ""))
        try:
            if public_id is None:
                raise NotFound(INVALID_LINK)
            orders().detail(viewer_with_link(public_id), public_id)
        except NotFound:
            return _render_form({"form": INVALID_LINK}, STATUS[NotFound])
        response = make_response(redirect(f"/orders/{public_id}", 303))
        set_pass_cookie(response, public_id)
        return response

    @pages.get(FORM)
    def form() -> tuple[str, int]:
        return _render_form({}, 200, sent="sent" in request.args)

    @pages.post(FORM)
    def send() -> Response | tuple[str, int]:
        try:
            requests().request(request.form.get("number", ""), request.form.get("email", ""))
        except InvalidFields as refusal:
            return _render_form(refusal.errors, STATUS[InvalidFields])
        return redirect(f"{FORM}?sent", 303)

    return pages


def _render_form(errors: Mapping[str, str], status: int, *, sent: bool = False) -> tuple[str, int]:
    note = SENT if sent else ""
    return render_template("orders/link.html", errors=errors, form=request.form, note=note, action=FORM), status
