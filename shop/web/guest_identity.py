"""The guest of the request being served: her cart and her orders, by ids in the signed session cookie.

Reading the identity reads the session cookie, so the response becomes private. Views of public pages must not read it.

Problem: an attacker can plant a cookie. If the cookie's id never changed, an attacker who planted his own cookie in a
browser could read later orders of that browser with his copy (session fixation, CWE-384).
Method: each checkout form gives the browser a new random id to order under, which no earlier copy of the cookie
contains. The cookie also carries the previous id. When the next form shows that the new id has arrived, the orders
under the previous id are moved to it. So a cookie needs two ids, however many orders there are.
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
        guest_id: the id of her next orders.
        earlier_id: the id that her earlier orders may have.
    """

    cart_id: uuid.UUID
    guest_id: uuid.UUID
    earlier_id: uuid.UUID | None = None

    @property
    def ids(self) -> frozenset[uuid.UUID]:
        """Return all ids that her orders can have."""
        return frozenset(guest_id for guest_id in (self.guest_id, self.earlier_id) if guest_id)


def current_guest() -> GuestIdentity | None:
    """Return the guest; ``None`` for a visitor who has not put anything into a cart."""
    cart_id = session.get(_CART)
    if not cart_id:
        return None
    ids = [uuid.UUID(guest_id) for guest_id in session.get(_ORDERS, (cart_id,))]
    return GuestIdentity(uuid.UUID(cart_id), *ids)


def keep_guest_cart(cart_id: uuid.UUID) -> None:
    """Write a guest's cart into the browser's cookie; the first call of a day also renews the cookie's lifetime.

    Not every call: a response that writes the cookie overwrites what another response has written meanwhile.
    """
    today = int(time.time() // DAY_S)
    if (session.get(_CART), session.get(_RENEWED)) != (str(cart_id), today):
        session.permanent = True
        session[_CART], session[_RENEWED] = str(cart_id), today


def renew_guest(guest: GuestIdentity) -> None:
    """Give the guest's browser a new id to order under; call it when no order has ``earlier_id`` any more."""
    session[_ORDERS] = [str(uuid.uuid4()), str(guest.guest_id)]
