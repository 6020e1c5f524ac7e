"""The order pages of customers: the list of own orders, and one order with its timeline."""

from collections.abc import Callable

from flask import Blueprint, render_template, request

from shop.orders.countries import country_name
from shop.orders.order_access import current_viewer, order_links
from shop.orders.service import OrderService
from shop.orders.timeline import build_timeline
from shop.orders.transitions import OrderStatus
from shop.web import request_middleware
from shop.web.identity import current_identity
from shop.web.private_response import keep_private

PAGE_SIZE = 10
CANCELLABLE = (OrderStatus.PENDING_PAYMENT, OrderStatus.PAID)


def create_pages(get_service: Callable[[], OrderService]) -> Blueprint:
    """Build the pages.

    Args:
        get_service: returns the service of the request being served.
    """
    pages = Blueprint("orders", __name__, template_folder="templates")
    pages.after_request(keep_private)

    @pages.get("/orders")
    def own_orders() -> str:
        page = get_service().list_own(current_viewer(), request.args.get("cursor"), PAGE_SIZE)
        next_url = f"/orders?cursor={page.next_cursor}" if page.next_cursor else ""
        return render_template("orders/list.html", page=page, next_url=next_url, signed_in=current_identity())

    @pages.get("/orders/<string:public_id>")
    def one_order(public_id: str) -> str:
        viewer = current_viewer()
        page = get_service().detail(viewer, public_id)
        order = page.orders[0]
        by_link = viewer.opened == public_id and page.for_guest
        if by_link:
            request_middleware.suppress_referrer()
        return render_template(
            "orders/order.html",
            order=order,
            products=page.products,
            country=country_name(order.address.get("country", "")),
            timeline=build_timeline(order.events, to_staff=bool(page.as_staff)),
            as_staff=page.as_staff,
            earlier="earlier" in request.args,
            lost_answer="lost-answer" in request.args,
            refund=page.refunds.get(order.id),
            by_link=by_link,
            link=order_links().guest_path(public_id) if page.for_guest and not by_link and not page.as_staff else "",
            cancellable=order.status in CANCELLABLE,
            signed_in=current_identity(),
        )

    return pages
