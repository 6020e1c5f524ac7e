"""The pages of a guest's link: where it leads, and where it is asked for again.

The token comes in a query, which no access log holds, and is exchanged at once for a pass, so the address of the page
that is shown is clean: nothing it leads to learns the token, and the browser's history keeps what opens for an hour.
"""

from collections.abc import Callable, Mapping

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from shop.errors import InvalidFields, NotFound
from shop.orders.link_requests import PAUSE, LinkRequests
from shop.orders.links import GOOD_FOR, PAGE
from shop.orders.order_access import hand_pass, links, viewer_with_link
from shop.orders.service import OrderService
from shop.web import request_middleware
from shop.web.private_response import keep_private
from shop.web.problems import STATUS

FORM = "/orders/link"
USELESS = (
    f"This link opens no order: it is older than {GOOD_FOR.days} days, a part of it is missing, or the order is in an"
    " account now."
)
"""One sentence for every link that opens nothing, the forged ones among them."""
SENT = (
    "If a guest ordered under this number and address, a mail with the link is on its way. We send it at most once in"
    f" {PAUSE.seconds // 60} minutes. Is the order in your account? Then sign in to see it."
)


def create_link_pages(orders: Callable[[], OrderService], requests: Callable[[], LinkRequests]) -> Blueprint:
    """Build the pages.

    Args:
        orders: returns the orders of the request being served.
        requests: returns its requests for links.
    """
    pages = Blueprint("order_links", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get(PAGE)
    def follow() -> Response | tuple[str, int]:
        request_middleware.suppress_referrer()
        public_id = links().read(request.args.get("token", ""))
        try:
            if public_id is None:
                raise NotFound(USELESS)
            orders().detail(viewer_with_link(public_id), public_id)
        except NotFound:
            return _form({"form": USELESS}, STATUS[NotFound])
        answer = make_response(redirect(f"/orders/{public_id}", 303))
        hand_pass(answer, public_id)
        return answer

    @pages.get(FORM)
    def form() -> tuple[str, int]:
        return _form({}, 200, sent="sent" in request.args)

    @pages.post(FORM)
    def send() -> Response | tuple[str, int]:
        try:
            requests().request(request.form.get("number", ""), request.form.get("email", ""))
        except InvalidFields as refusal:
            return _form(refusal.errors, STATUS[InvalidFields])
        return redirect(f"{FORM}?sent", 303)

    return pages


def _form(errors: Mapping[str, str], status: int, *, sent: bool = False) -> tuple[str, int]:
    note = SENT if sent else ""
    return render_template("orders/link.html", errors=errors, form=request.form, note=note, action=FORM), status
