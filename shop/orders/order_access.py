"""Who is looking at an order: the account, the guest whose signed cookie carries her id, or who followed its link.

And nobody else, ever. The cookie says who the guest is, and each order says which guest placed it. So an order is its
guest's from the moment it is placed, whether or not the answer reached her, and no answer of a checkout has anything to
write into the cookie. A browser that followed the link in a mail carries a pass for that one order, for an hour, which
it sends with that order's pages alone. Once an account has an order, neither opens it.
"""

from collections.abc import Callable
from dataclasses import replace

from flask import Flask, Response, current_app, request

from shop.errors import AuthenticationRequired
from shop.orders.links import PASS_GOOD_FOR, OrderLinks
from shop.orders.service import OrderViewer
from shop.web.guest_identity import current_guest
from shop.web.identity import ADMIN, current_identity

SIGN_IN = "Sign in to see your orders."
_LINKS = "shop.order_links"


def install(app: Flask, get_links: Callable[[], OrderLinks]) -> None:
    """Give the app's requests the signed links of orders; ``get_links`` returns those of the request being served."""
    app.extensions[_LINKS] = get_links


def viewer() -> OrderViewer:
    """Return the viewer of this request."""
    carried = request.cookies.get(_pass_name())
    opened = links().read_pass(carried) if carried else None
    if (identity := current_identity()) is not None:
        return OrderViewer(identity.user_id, is_admin=identity.role == ADMIN, opened=opened)
    guest = current_guest()
    if guest is None:
        return OrderViewer(opened=opened)
    return OrderViewer(guest_id=guest.guest_id, earlier_guest_id=guest.earlier_id, opened=opened)


def require_viewer() -> None:
    """Refuse whoever can have no orders.

    Raises:
        AuthenticationRequired: nobody is signed in, and no guest is known.
    """
    if current_identity() is None and current_guest() is None:
        raise AuthenticationRequired(SIGN_IN)


def viewer_with_link(public_id: str) -> OrderViewer:
    """Return the viewer of this request, who has just shown a good link to an order."""
    return replace(viewer(), opened=public_id)


def links() -> OrderLinks:
    """Return the links of the request being served."""
    get_links: Callable[[], OrderLinks] = current_app.extensions[_LINKS]
    return get_links()


def hand_pass(response: Response, public_id: str) -> None:
    """Let a browser that followed an order's link open that order's pages, and cancel it, for a while."""
    response.set_cookie(
        _pass_name(),
        links().make_pass(public_id),
        max_age=PASS_GOOD_FOR,
        path=f"/orders/{public_id}",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )


def _pass_name() -> str:
    # A path of its own rules out the prefix __Host-; the one for cookies over TLS is left (RFC 6265bis, 4.1.3).
    return "__Secure-order" if current_app.config["SESSION_COOKIE_SECURE"] else "order"
