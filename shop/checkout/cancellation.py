"""Undoing an order: cancelled and restocked in one transaction, the money given back after it.

The refund stands between two transactions as the charge does in a checkout. An order whose refund did not come
through is cancelled with the refund still owed; cancelling it again tries again, under the same key at the provider.
"""

import logging

from sqlalchemy.orm import Session

from shop.checkout.phases import Phases, Step
from shop.errors import Conflict, ProviderUnavailable
from shop.orders import queries, stream
from shop.orders.service import Orders, Viewer
from shop.orders.transitions import Status
from shop.payments.provider import Charged, Declined
from shop.payments.service import Payments, Unknown
from shop.unit_of_work import Database

RETRY_AFTER_S = 2

_log = logging.getLogger(__name__)


class Cancellation:
    """The use case.

    Args:
        database: where everything is.
        orders: knows whose order is whose.
        payments: moves and records money.
        phases: the bodies of the transactions.
    """

    def __init__(self, database: Database, orders: Orders, payments: Payments, phases: Phases) -> None:
        self._database = database
        self._orders = orders
        self._payments = payments
        self._phases = phases

    def cancel(self, viewer: Viewer, public_id: str) -> None:
        """Cancel an order and give its money back. Cancelling a cancelled one tries an owed refund again.

        Raises:
            NotFound: there is no such order of the viewer's.
            Conflict: it has been shipped, or its payment is being taken at this moment.
            ProviderUnavailable: nobody can say yet whether it was paid; nothing was changed.
        """
        if self._orders.detail(viewer, public_id).orders[0].status is Status.PENDING_PAYMENT:
            self._resolve(public_id)
        self._database.retrying(lambda session: self._take_back(session, public_id))
        self.refund(public_id)

    def refund(self, public_id: str) -> None:
        """Give back what is owed for a cancelled order; where the provider is away, it stays owed."""
        with self._database.reading() as session:
            payment = self._payments.of(session, queries.internal_id(session, public_id))
        if payment.status != "refund_pending":
            return
        try:
            self._payments.refund(payment)
        except ProviderUnavailable:
            _log.warning("refund_owed", extra={"order": public_id})
            return
        self._database.retrying(lambda session: self._phases.refunded(session, public_id))

    def _resolve(self, public_id: str) -> None:
        """Find out what became of a payment that was left open, and write it down."""
        with self._database.transaction() as session:
            order = stream.lock(session, public_id)
            if order.status != Status.PENDING_PAYMENT:
                return
            if not self._payments.claim(session, order.id):
                raise Conflict("This order is being paid right now; try again in a moment.", retry_after=RETRY_AFTER_S)
            charge_key = self._payments.of(session, order.id).charge_key
        found = self._payments.find(charge_key)
        self._database.retrying(lambda session: self._write_down(session, public_id, found))
        if isinstance(found, Unknown):
            raise ProviderUnavailable(
                "We cannot say yet whether this order was paid; try again.", retry_after=RETRY_AFTER_S
            )

    def _write_down(self, session: Session, public_id: str, found: Charged | Declined | Unknown | None) -> None:
        match found:
            case Charged():
                self._phases.settle(session, public_id, Step.PAY, found)
            case Declined():
                self._phases.settle(session, public_id, Step.REFUSE, found)
            case Unknown():
                self._phases.settle(session, public_id, Step.WAIT, found)
            case None:
                self._phases.call_off(session, public_id)

    def _take_back(self, session: Session, public_id: str) -> None:
        order = stream.lock(session, public_id)
        if order.status not in (Status.CANCELLED, Status.REFUNDED):
            self._phases.take_back(session, order)
