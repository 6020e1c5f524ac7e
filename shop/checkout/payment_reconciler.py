"""What became of a checkout that was left open: the provider's books say, and it is written down.

A checkout is left open when its process died or when no answer came. Whoever needs it settled does it through here:
the shopper who cancels the order, the next checkout of the same cart, or the completer, when nobody comes back.
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
GIVEN_UP_AFTER = timedelta(seconds=45)
"""A charge that the provider's books do not show by then will not come: calls to it end after seconds. Whoever pressed
the button and got no answer has had the time to press it again."""


class PaymentReconciler:
    """The use case.

    Args:
        database: where everything is.
        payments: moves and records money.
        phases: the bodies of the transactions.
    """

    def __init__(self, database: Database, payments: PaymentService, phases: CheckoutPhases) -> None:
        self._database = database
        self._payments = payments
        self._phases = phases

    def reconcile(self, public_id: str, cause: CancellationCause, *, give_up: bool = True) -> OrderStatus:
        """Settle an order whose payment is still open, and return where the order stands then.

        Args:
            public_id: the order.
            cause: why it is cancelled, if it comes to that.
            give_up: whether empty books mean that nothing was charged. Shortly after an attempt they do not: its
                charge may still be on its way.

        Raises:
            NotFound: there is no such order.
            StateConflict: its payment is being taken at this moment.
            ProviderUnavailable: nobody can say yet whether it was paid; nothing was changed.
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
        found = self._payments.find(payment.charge_key)
        if found is None and not give_up:
            found = OutcomePending()
        is_given_back = isinstance(found, ChargeSucceeded) and found.refunded.amount >= payment.amount > 0

        def write_down(session: Session) -> OrderStatus:
            if is_given_back:  # by hand at the provider, before we knew of the charge: there is nothing to sell
                self._phases.cancel_unpaid(session, public_id, cause)
            return self._write_down(session, public_id, found, cause)

        stands = self._database.run_in_transaction(write_down)
        if isinstance(found, OutcomePending):
            raise ProviderUnavailable(
                "We cannot say yet whether this order was paid; try again.", retry_after=RETRY_AFTER_S
            )
        return stands

    def postpone(self, public_id: str, error: ProviderUnavailable) -> None:
        """Let a background loop leave an order alone for a while, because the provider could not say."""

        def write_down(session: Session) -> None:
            self._payments.postpone(session, queries.internal_id(session, public_id), error)

        self._database.run_in_transaction(write_down)

    def _write_down(
        self,
        session: Session,
        public_id: str,
        found: ChargeSucceeded | ChargeDeclined | OutcomePending | None,
        cause: CancellationCause,
    ) -> OrderStatus:
        match found:
            case ChargeSucceeded():
                self._phases.settle(session, public_id, RecoveryStep.PAY, found)
            case ChargeDeclined():
                self._phases.settle(session, public_id, RecoveryStep.REFUSE, found)
            case OutcomePending():
                self._phases.settle(session, public_id, RecoveryStep.WAIT, found)
            case None:
                self._phases.cancel_unpaid(session, public_id, cause)
        return OrderStatus(order_stream.lock(session, public_id).status)
