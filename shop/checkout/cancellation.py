"""Cancels an order: cancelled and restocked in one transaction, refunded after it.

The refund is made between two transactions, as the charge of a checkout is. If the refund fails, the order is cancelled
and its refund is due. Another cancel request tries the refund again, under the same idempotency key at the provider. A
refund that the provider refuses for good is closed by staff, who settle it with the customer in another way.
"""

import logging

from sqlalchemy.orm import Session

from shop.checkout.payment_reconciler import PaymentReconciler
from shop.checkout.phases import NO_LEASE, CheckoutPhases
from shop.database.transactions import Database
from shop.errors import ProviderUnavailable
from shop.orders import order_stream, queries
from shop.orders.events import CancellationCause
from shop.orders.order_state import CloseRefund
from shop.orders.service import OrderService, OrderViewer
from shop.orders.transitions import OrderStatus
from shop.patterns.idempotency.key_lease import KeyLease
from shop.payments.service import PaymentService
from shop.payments.transitions import OWED_STATUSES

_log = logging.getLogger(__name__)


class OrderCancellation:
    """The use case.

    Args:
        database: the store's database.
        orders: checks that the viewer may see the order.
        payments: makes refunds and records payments.
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

    def cancel(self, viewer: OrderViewer, public_id: str, lease: KeyLease = NO_LEASE) -> None:
        """Cancel an order and refund it. If the order is cancelled and its refund is due, try the refund again.

        Args:
            viewer: the customer or the member of staff who cancels it.
            public_id: the order.
            lease: claims the request's key with the cancellation and stores the response with the refund.

        Raises:
            ReplayedRequest: the request has a stored response.
            NotFound: the viewer may see no such order.
            StateConflict: the order is shipped, or another request is making its payment at this moment.
            ProviderUnavailable: it is not yet known whether the order was paid; nothing was changed.
        """
        cause = CancellationCause.STAFF if viewer.is_admin else CancellationCause.CUSTOMER
        if self._orders.detail(viewer, public_id).orders[0].status is OrderStatus.PENDING_PAYMENT:
            self._reconciler.reconcile(public_id, cause)

        def cancel(session: Session) -> None:
            lease.claim(session)
            order = order_stream.lock(session, public_id)
            if order.status not in (OrderStatus.CANCELLED, OrderStatus.REFUNDED):
                self._phases.cancel_paid(session, order, cause)

        self._database.run_in_transaction(cancel)
        self.refund(public_id, lease)

    def refund(self, public_id: str, lease: KeyLease = NO_LEASE) -> bool:
        """Refund a cancelled order. If the provider is not available, the refund stays due.

        Returns:
            Whether no refund is due any more.
        """
        with self._database.reading() as session:
            payment = self._payments.for_order(session, queries.internal_id(session, public_id))
        if payment.status not in OWED_STATUSES:
            return True
        try:
            self._payments.refund(payment)
        except ProviderUnavailable as error:
            failure = error
            self._database.run_in_transaction(
                lambda session: self._payments.postpone(session, payment.order_id, failure)
            )
            _log.warning("refund_owed", extra={"order": public_id, "reason": error.detail})
            return False

        def record(session: Session) -> None:
            self._phases.record_refund(session, public_id)
            lease.finish(session, public_id)

        self._database.run_in_transaction(record)
        return True

    def close_refund(self, public_id: str, closed_by: int, reason: str) -> None:
        """Close a refund that staff has settled in another way, such as by a bank transfer.

        Args:
            public_id: the order.
            closed_by: the account of the member of staff.
            reason: how it was settled; it stays in the order's events for good.

        Raises:
            NotFound: the order does not exist.
            StateConflict: no refund is due.
        """
        command = CloseRefund(closed_by, reason)
        self._database.run_in_transaction(lambda session: self._phases.close_refund(session, public_id, command))
        _log.info("refund_closed", extra={"order": public_id, "closed_by": closed_by})
