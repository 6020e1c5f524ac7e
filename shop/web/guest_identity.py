"""Which guest is asking, as every feature sees it: her cart and her orders, by ids in the signed session cookie.

Reading it touches the session cookie and so makes an answer private. Public pages must not.

Problem: a cookie can be planted. If it said for good who the guest is, whoever planted his own in a browser could read
with his copy what is bought there later (session fixation, CWE-384).
Method: with each checkout form the browser is given a new random id to order under, which no earlier copy of the cookie
knows. It carries the one before as well: what was ordered under that follows as soon as the browser shows, with its
next form, that the new one has arrived. So a cookie needs two ids, however much was ordered.
"""

import time
import uuid
from dataclasses import dataclass

from flask import session

_CART = "cart"
_ORDERS = "guest"
_RENEWED = "day"
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class GuestIdentity:
    """A guest.

    Args:
        cart_id: of her cart.
        guest_id: what she orders under.
        earlier_id: what she may have ordered under before.
    """

    cart_id: uuid.UUID
    guest_id: uuid.UUID
    earlier_id: uuid.UUID | None = None

    @property
    def ids(self) -> frozenset[uuid.UUID]:
        """Return all ids that her orders are under."""
        return frozenset(known for known in (self.guest_id, self.earlier_id) if known)


def current_guest() -> GuestIdentity | None:
    """Return who the guest is; ``None`` for a passer-by, who has not put anything into a cart."""
    kept = session.get(_CART)
    if not kept:
        return None
    ids = [uuid.UUID(one) for one in session.get(_ORDERS, (kept,))]
    return GuestIdentity(uuid.UUID(kept), *ids)


def keep_guest_cart(cart_id: uuid.UUID) -> None:
    """Let the browser being answered carry a guest's cart; its time begins anew with the first call of a day.

    Not with each: an answer that writes the cookie undoes what another has written into it meanwhile.
    """
    today = int(time.time() // DAY_S)
    if (session.get(_CART), session.get(_RENEWED)) != (str(cart_id), today):
        session.permanent = True
        session[_CART], session[_RENEWED] = str(cart_id), today


def renew_guest(guest: GuestIdentity) -> None:
    """Let the guest's browser order under a new id; call it when nothing is left under ``earlier_id``."""
    session[_ORDERS] = [str(uuid.uuid4()), str(guest.guest_id)]
