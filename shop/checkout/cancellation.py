"""Undoing an order: cancelled and restocked in one transaction, the money given back after it.

The refund stands between two transactions as the charge does in a checkout. An order whose refund did not come
through is cancelled with the refund still owed; cancelling it again tries again, under the same key at the provider.
What the provider refuses for good is closed by staff, who settle it with the customer in another way.
"""

import logging

from sqlalchemy.orm import Session

from shop.checkout.payment_reconciler import PaymentReconciler
from shop.checkout.phases import NO_GUARD, CheckoutPhases
from shop.database.transactions import Database
from shop.errors import ProviderUnavailable
from shop.orders import order_stream, queries
from shop.orders.events import CancellationCause
from shop.orders.order_state import CloseRefund
from shop.orders.service import OrderService, OrderViewer
from shop.orders.transitions import OrderStatus
from shop.patterns.idempotency.key_lease import KeyLease
from shop.payments.models import Payment
from shop.payments.refunds import OWED
from shop.payments.service import PaymentService

_log = logging.getLogger(__name__)


class OrderCancellation:
    """The use case.

    Args:
        database: where everything is.
        orders: knows whose order is whose.
        payments: moves and records money.
        phases: the bodies of the transactions.
        reconciler: settles an order whose payment is open by the provider's ledger.
    """

    def __init__(
        self,
        database: Database,
        orders: OrderService,
        payments: PaymentService,
        phases: CheckoutPhases,
        reconciler: PaymentReconciler,
    ) -> None:
        self._database = database
        self._orders = orders
        self._payments = payments
        self._phases = phases
        self._reconciler = reconciler

    def cancel(self, viewer: OrderViewer, public_id: str, guard: KeyLease = NO_GUARD) -> None:
        """Cancel an order and give its money back. Cancelling a cancelled one tries an owed refund again.

        Args:
            viewer: who wants it.
            public_id: the order.
            guard: claims the request's key with the cancelling and keeps the answer with the refund.

        Raises:
            ReplayedRequest: the request was answered before; by the guard.
            NotFound: there is no such order of the viewer's.
            StateConflict: it has been shipped, or its payment is being taken at this moment.
            ProviderUnavailable: nobody can say yet whether it was paid; nothing was changed.
        """
        cause = CancellationCause.STAFF if viewer.is_admin else CancellationCause.CUSTOMER
        if self._orders.detail(viewer, public_id).orders[0].status is OrderStatus.PENDING_PAYMENT:
            self._reconciler.reconcile(public_id, cause)
        self._database.run_in_transaction(lambda session: self._take_back(session, public_id, cause, guard))
        self.refund(public_id, guard)

    def refund(self, public_id: str, guard: KeyLease = NO_GUARD) -> bool:
        """Give back what is owed for a cancelled order; where the provider is away, it stays owed.

        Returns:
            Whether nothing is owed any more.
        """
        with self._database.reading() as session:
            payment = self._payments.for_order(session, queries.internal_id(session, public_id))
        if payment.status not in OWED:
            return True
        try:
            self._payments.refund(payment)
        except ProviderUnavailable as error:
            self._postpone(payment, error)
            _log.warning("refund_owed", extra={"order": public_id, "reason": error.detail})
            return False
        self._database.run_in_transaction(lambda session: self._write_down(session, public_id, guard))
        return True

    def close_refund(self, public_id: str, closed_by: int, reason: str) -> None:
        """Stop owing a refund that staff has settled in another way, such as by a bank transfer.

        Args:
            public_id: the order.
            closed_by: the account of the member of staff.
            reason: how it was settled; it stays in the order's events for good.

        Raises:
            NotFound: there is no such order.
            StateConflict: nothing is owed for it.
        """
        command = CloseRefund(closed_by, reason)
        self._database.run_in_transaction(lambda session: self._phases.close_refund(session, public_id, command))
        _log.info("refund_closed", extra={"order": public_id, "closed_by": closed_by})

    def _postpone(self, payment: Payment, error: ProviderUnavailable) -> None:
        self._database.run_in_transaction(lambda session: self._payments.postpone(session, payment.order_id, error))

    def _write_down(self, session: Session, public_id: str, guard: KeyLease) -> None:
        self._phases.record_refund(session, public_id)
        guard.finish(session, public_id)

    def _take_back(self, session: Session, public_id: str, cause: CancellationCause, guard: KeyLease) -> None:
        guard.claim(session)
        order = order_stream.lock(session, public_id)
        if order.status not in (OrderStatus.CANCELLED, OrderStatus.REFUNDED):
            self._phases.cancel_paid(session, order, cause)
