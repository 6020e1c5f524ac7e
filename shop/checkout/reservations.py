"""Pieces are promised to a checkout for a while. What nobody paid for by then goes back on the shelf.

A reservation is an order whose payment is open; its end is ``reserved_until``. It cannot simply be struck out: the
charge may have gone through and only the answer been lost. So the provider's books decide, as for any checkout that was
left open, and where they cannot be read the pieces stay promised.
"""

import logging
from dataclasses import dataclass

from shop.checkout.payment_reconciler import PaymentReconciler
from shop.database.transactions import Database
from shop.errors import NotFound, ProviderUnavailable, ServiceUnavailable, StateConflict
from shop.orders import queries
from shop.orders.events import CancellationCause
from shop.orders.transitions import OrderStatus
from shop.payments.service import PaymentService

MOST_AT_ONCE = 100
"""Each takes a call to the provider; what is left waits for the next round."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReapedReservations:
    """What became of the reservations whose time was over."""

    released: int = 0
    """Called off: the pieces are back on the shelf."""
    paid: int = 0
    """Charged after all: the order goes its way."""
    left: int = 0
    """Somebody is at work on it, or the provider could not be asked."""


class ReservationReaper:
    """A loop's body; safe to run twice at once, since each order is claimed before it is settled.

    Args:
        database: where orders are.
        payments: knows which were looked at in vain a moment ago.
        resolution: settles an order by the provider's books.
    """

    def __init__(self, database: Database, payments: PaymentService, resolution: PaymentReconciler) -> None:
        self._database = database
        self._payments = payments
        self._resolution = resolution

    def run_once(self) -> ReapedReservations:
        """Settle the unpaid orders whose reservation is over, and return what became of them."""
        with self._database.reading() as session:
            overdue = queries.overdue(session, MOST_AT_ONCE, self._payments.postponed(session))
        ends = [self._settle(public_id) for public_id in overdue]
        paid = sum(end is OrderStatus.PAID for end in ends)
        left = sum(end is None for end in ends)
        return ReapedReservations(released=len(ends) - paid - left, paid=paid, left=left)

    def _settle(self, public_id: str) -> OrderStatus | None:
        try:
            return self._resolution.reconcile(public_id, CancellationCause.UNPAID)
        except ProviderUnavailable as refusal:
            self._resolution.postpone(public_id, refusal)
            _log.info("reservation_left", extra={"order": public_id, "reason": refusal.detail})
            return None
        except (StateConflict, NotFound, ServiceUnavailable) as refusal:
            _log.info("reservation_left", extra={"order": public_id, "reason": refusal.detail})
            return None
