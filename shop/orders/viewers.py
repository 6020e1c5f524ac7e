"""Who is looking at an order: the account, or a guest whose signed session knows it. And nobody else, ever."""

from flask import Response, session

from shop.orders.service import Viewer
from shop.web.identity import ADMIN, current_identity

PLACED = "orders"
"""Key of the session under which a guest's own orders are."""
REMEMBERED = 20
"""A guest's latest orders fit into a cookie; who wants more has an account."""


def viewer() -> Viewer:
    """Return the viewer of this request."""
    identity = current_identity()
    if identity is None:
        return Viewer(placed=placed())
    return Viewer(identity.user_id, is_admin=identity.role == ADMIN)


def placed() -> tuple[str, ...]:
    """Return the public ids of the orders this browser placed as a guest."""
    return tuple(session.get(PLACED, ()))


def remember(public_id: str) -> None:
    """Let this browser see an order it placed as a guest again."""
    if current_identity() is None:
        others = [known for known in placed() if known != public_id]
        session[PLACED] = [*others, public_id][-REMEMBERED:]


def keep_private(response: Response) -> Response:
    """Let nobody but the browser that asked keep the answer, and not even that one for later."""
    response.headers["Cache-Control"] = "private, no-store"
    return response
