"""Settles a checkout whose payment is open, by the provider's ledger.

A payment stays open if its process died or if the provider did not answer. Three callers reconcile it: the shopper who
cancels the order, the next checkout of the same cart, and the worker's completer.
"""

from datetime import timedelta

from sqlalchemy.orm import Session

from shop.checkout.phases import CheckoutPhases
from shop.checkout.recovery_points import RecoveryStep
from shop.database.transactions import Database
from shop.errors import ProviderUnavailable, StateConflict
from shop.orders import order_stream, queries
from shop.orders.events import CancellationCause
from shop.orders.transitions import OrderStatus
from shop.payments.provider import ChargeDeclined, ChargeSucceeded
from shop.payments.service import OutcomePending, PaymentService

RETRY_AFTER_S = 2
GIVE_UP_AFTER = timedelta(seconds=45)
"""A charge that is missing in the provider's ledger after this time will not appear later: a call ends after seconds.
A shopper without a response has had the time to send the form again."""


class PaymentReconciler:
    """The use case.

    Args:
        database: the store's database.
        payments: looks charges up and records payments.
        phases: the bodies of the transactions.
    """

    def __init__(self, database: Database, payments: PaymentService, phases: CheckoutPhases) -> None:
        self._database = database
        self._payments = payments
        self._phases = phases

    def reconcile(self, public_id: str, cause: CancellationCause, *, give_up: bool = True) -> OrderStatus:
        """Settle an order whose payment is open, and return its new status.

        Args:
            public_id: the order.
            cause: recorded if the order is cancelled.
            give_up: whether a missing charge means that nothing was charged. Shortly after an attempt it does not:
                the charge may still be in progress.

        Raises:
            NotFound: the order does not exist.
            StateConflict: another request is making the payment at this moment.
            ProviderUnavailable: it is not yet known whether the order was paid; nothing was changed.
        """
        with self._database.transaction() as session:
            order = order_stream.lock(session, public_id)
            if order.status != OrderStatus.PENDING_PAYMENT:
                return OrderStatus(order.status)
            if not self._payments.claim(session, order.id):
                raise StateConflict(
                    "This order is being paid right now; try again in a moment.", retry_after=RETRY_AFTER_S
                )
            payment = self._payments.for_order(session, order.id)
        charge = self._payments.find_charge(payment.charge_key)
        if charge is None and not give_up:
            charge = OutcomePending()
        is_refunded = isinstance(charge, ChargeSucceeded) and charge.refunded.amount >= payment.amount > 0

        def record(session: Session) -> OrderStatus:
            if is_refunded:  # staff refunded it at the provider before the store knew of the charge: sell nothing
                self._phases.cancel_unpaid(session, public_id, cause)
            match charge:
                case ChargeSucceeded():
                    self._phases.settle(session, public_id, RecoveryStep.PAY, charge)
                case ChargeDeclined():
                    self._phases.settle(session, public_id, RecoveryStep.REFUSE, charge)
                case OutcomePending():
                    self._phases.settle(session, public_id, RecoveryStep.WAIT, charge)
                case None:
                    self._phases.cancel_unpaid(session, public_id, cause)
            return OrderStatus(order_stream.lock(session, public_id).status)

        status = self._database.run_in_transaction(record)
        if isinstance(charge, OutcomePending):
            raise ProviderUnavailable(
                "We cannot say yet whether this order was paid; try again.", retry_after=RETRY_AFTER_S
            )
        return status

    def postpone(self, public_id: str, error: ProviderUnavailable) -> None:
        """Schedule the completer's next attempt for an order, because the provider did not tell the outcome."""

        def postpone(session: Session) -> None:
            self._payments.postpone(session, queries.internal_id(session, public_id), error)

        self._database.run_in_transaction(postpone)
