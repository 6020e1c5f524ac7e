"""The viewer of an order: an account, a guest with a signed cookie, or a browser that followed the order's link.

No other client may see an order. The cookie has the guest's id, and each order has the id of the guest who placed it.
So the guest holds the order from the moment it is placed, even if the response was lost, and a checkout's response need
not change the cookie. A browser that followed the link in a mail has a pass cookie for that one order, for an hour; the
browser sends it only with that order's pages. Once an account holds an order, neither cookie opens it.
"""

from collections.abc import Callable
from dataclasses import replace

from flask import Flask, Response, current_app, request

from shop.errors import AuthenticationRequired
from shop.orders.links import PASS_LIFETIME, OrderLinks
from shop.orders.service import OrderViewer
from shop.web.guest_identity import current_guest
from shop.web.identity import ADMIN, current_identity

SIGN_IN = "Sign in to see your orders."
_LINKS = "shop.order_links"


def install(app: Flask, get_links: Callable[[], OrderLinks]) -> None:
    """Give requests access to the signed links of orders; ``get_links`` returns those of the current request."""
    app.extensions[_LINKS] = get_links


def current_viewer() -> OrderViewer:
    """Return the viewer of this request."""
    token = request.cookies.get(_pass_cookie_name())
    opened = order_links().read_pass(token) if token else None
    if (identity := current_identity()) is not None:
        return OrderViewer(identity.user_id, is_admin=identity.role == ADMIN, opened=opened)
    guest = current_guest()
    if guest is None:
        return OrderViewer(opened=opened)
    return OrderViewer(guest_id=guest.guest_id, earlier_guest_id=guest.earlier_id, opened=opened)


def require_viewer() -> None:
    """Refuse a client that can have no orders.

    Raises:
        AuthenticationRequired: the client is neither signed in nor a known guest.
    """
    if current_identity() is None and current_guest() is None:
        raise AuthenticationRequired(SIGN_IN)


def viewer_with_link(public_id: str) -> OrderViewer:
    """Return the viewer of this request, with a valid link to an order."""
    return replace(current_viewer(), opened=public_id)


def order_links() -> OrderLinks:
    """Return the order links of the current request."""
    get_links: Callable[[], OrderLinks] = current_app.extensions[_LINKS]
    return get_links()


def set_pass_cookie(response: Response, public_id: str) -> None:
    """Set the pass cookie: for an hour, the browser may open the order's pages and cancel the order."""
    response.set_cookie(
        _pass_cookie_name(),
        order_links().make_pass(public_id),
        max_age=PASS_LIFETIME,
        path=f"/orders/{public_id}",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )


def _pass_cookie_name() -> str:
    # The cookie has a path, so the prefix __Host- is not possible; __Secure- is (RFC 6265bis, 4.1.3).
    return "__Secure-order" if current_app.config["SESSION_COOKIE_SECURE"] else "order"
