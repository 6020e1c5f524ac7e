"""Checkout keys: each order stores the key of its checkout, so the same key never buys twice.

Problem: a stored response of an idempotency key expires after a day, and a checkout may stop between two transactions.
A repeated request must still find the order that an earlier request placed. A second browser tab has another key for
the same cart, and would buy the cart a second time.
Method: the order's row has the owner, the key and the fingerprint of its checkout; a unique index allows one order per
owner and key. Before a checkout places an order, it takes the owner's lock and looks for a conflicting checkout: the
order of its own key, or another order of the owner whose payment is open. The idempotency key of the request
(:mod:`shop.patterns.idempotency`) is a second mechanism: it stores responses of all write routes.
Switch: ``checkout.idempotency``. Experiment: ``checkout-retries``.
Source: Leach, "Implementing Stripe-like Idempotency Keys in Postgres" (2017).
"""

from dataclasses import dataclass
from typing import cast

from sqlalchemy import Table, bindparam, func, or_, select, text, update
from sqlalchemy.orm import Session

from shop.errors import InvalidFields
from shop.orders.models import Order
from shop.orders.transitions import OrderStatus

REUSED = "This key was used for another checkout; take a new one."
_orders = cast(Table, Order.__table__)
_LOCK_OWNER = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("owner"), 0)))
_CONFLICTING_CHECKOUT = (
    select(Order)
    .where(
        Order.checkout_owner == bindparam("owner"),
        or_(Order.checkout_key == bindparam("key"), Order.status == OrderStatus.PENDING_PAYMENT.value),
    )
    .order_by((Order.checkout_key == bindparam("key")).desc().nulls_last(), Order.id)
    .limit(1)
)
_CHANGE_OWNER = text("""
WITH moving AS (
    SELECT id FROM orders WHERE checkout_owner = :giver ORDER BY id FOR UPDATE
)
UPDATE orders AS moved
   SET checkout_owner = :taker,
       checkout_key = CASE WHEN EXISTS (
           SELECT FROM orders AS own WHERE own.checkout_owner = :taker AND own.checkout_key = moved.checkout_key
       ) THEN 'moved ' || moved.public_id ELSE moved.checkout_key END
  FROM moving WHERE moved.id = moving.id
""")
"""If both owners used the same key, the taker's order keeps it. The giver's order gets a key that no client sends."""
_FREE_KEY = (
    update(_orders).where(_orders.columns.id == bindparam("order_id")).values(checkout_owner=None, checkout_key=None)
)


@dataclass(frozen=True, slots=True)
class CheckoutKey:
    """Identifies a checkout: two requests with the same checkout key are the same checkout.

    Args:
        owner: the key's owner, as :mod:`shop.patterns.idempotency.key_owners` names it.
        key: the ``Idempotency-Key``; ``None`` if each request is a new checkout.
        fingerprint: hash of the request's details.
    """

    owner: str
    key: str | None
    fingerprint: str

    def identifies(self, order: Order) -> bool:
        """Tell whether an order of the same owner was placed under this key.

        Raises:
            InvalidFields: it was, with other details.
        """
        if order.checkout_key != self.key:
            return False
        if order.checkout_fingerprint != self.fingerprint:
            raise InvalidFields(REUSED, errors={"Idempotency-Key": REUSED})
        return True


def lock_owner(session: Session, owner: str) -> None:
    """Let one transaction at a time place an order for an owner.

    The order to be placed has no row that could be locked, so the function takes an advisory lock on the owner's name.
    Two rules prevent deadlocks: a transaction takes this lock before any row lock; and a login, which takes two of
    these locks, takes the guest's before the account's. A checkout takes only one.
    """
    session.execute(_LOCK_OWNER, {"owner": owner})


def find_conflicting_checkout(session: Session, owner: str, key: str) -> Order | None:
    """Return the earlier order that a checkout must handle before it places its own.

    That is the order with the same key, or else an order with another key whose payment is open.
    """
    return session.scalars(_CONFLICTING_CHECKOUT, {"owner": owner, "key": key}).one_or_none()


def change_owner(session: Session, giver: str, taker: str) -> None:
    """Move the checkout keys of all orders from one owner to another.

    Args:
        session: the caller's transaction, which holds the locks of both owners.
        giver: the owner whose cart is about to be deleted.
        taker: the owner who gets that cart.
    """
    session.execute(_CHANGE_OWNER, {"giver": giver, "taker": taker})


def free_key(session: Session, order_id: int) -> None:
    """Remove the checkout key from a locked order, so a new checkout may use the key."""
    session.execute(_FREE_KEY, {"order_id": order_id})
