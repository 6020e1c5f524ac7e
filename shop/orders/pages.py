"""The pages on which people follow their orders."""

from collections.abc import Callable

from flask import Blueprint, render_template, request

from shop.orders.countries import country_name
from shop.orders.order_access import links, viewer
from shop.orders.service import OrderService
from shop.orders.timeline import build_timeline
from shop.orders.transitions import OrderStatus
from shop.web import request_middleware
from shop.web.identity import current_identity
from shop.web.private_response import keep_private

PAGE = 10
CANCELLABLE = (OrderStatus.PENDING_PAYMENT, OrderStatus.PAID)


def create_pages(use: Callable[[], OrderService]) -> Blueprint:
    """Build the pages.

    Args:
        use: returns the service of the request being served.
    """
    pages = Blueprint("orders", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get("/orders")
    def own_orders() -> str:
        shown = use().list_own(viewer(), request.args.get("cursor"), PAGE)
        next_url = f"/orders?cursor={shown.next_cursor}" if shown.next_cursor else ""
        return render_template("orders/list.html", shown=shown, next_url=next_url, signed_in=current_identity())

    @pages.get("/orders/<string:public_id>")
    def one_order(public_id: str) -> str:
        who = viewer()
        shown = use().detail(who, public_id)
        order = shown.orders[0]
        by_link = who.opened == public_id and shown.for_guest
        if by_link:
            request_middleware.suppress_referrer()
        return render_template(
            "orders/order.html",
            order=order,
            products=shown.products,
            country=country_name(order.address.get("country", "")),
            story=build_timeline(order.events, to_staff=bool(shown.as_staff)),
            as_staff=shown.as_staff,
            earlier="earlier" in request.args,
            refund=shown.refunds.get(order.id),
            by_link=by_link,
            link=links().path(public_id) if shown.for_guest and not by_link and not shown.as_staff else "",
            cancellable=order.status in CANCELLABLE,
            signed_in=current_identity(),
        )

    return pages
