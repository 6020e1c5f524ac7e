"""Who is looking at an order: the account, or the guest whose signed cookie carries her id. And nobody else, ever.

The cookie says who the guest is, and each order says which guest placed it. So an order is its guest's from the moment
it is placed, whether or not the answer reached her, and no answer of a checkout has anything to write into the cookie.
Once an account has an order, no guest's id opens it.
"""

from flask import Response

from shop.orders.service import Viewer
from shop.web.guest_identity import current_guest
from shop.web.identity import ADMIN, current_identity


def viewer() -> Viewer:
    """Return the viewer of this request."""
    if (identity := current_identity()) is not None:
        return Viewer(identity.user_id, is_admin=identity.role == ADMIN)
    guest = current_guest()
    return Viewer(guest_id=guest.guest_id, earlier_guest_id=guest.earlier_id) if guest else Viewer()


def keep_private(response: Response) -> Response:
    """Let nobody but the browser that asked keep the answer, and not even that one for later."""
    response.headers["Cache-Control"] = "private, no-store"
    return response
