"""The completer: finishes checkouts and refunds that a crashed or unanswered request has left.

Problem: a process dies, or the provider does not answer. The order stays pending and its stock stays reserved, and the
shopper may never send the form again.
Method: the recovery points are rows, so a query finds unfinished work: payments that are pending and not claimed, and
refunds that are due. The completer settles a payment by the provider's ledger, and cancels the order once no charge can
be in progress. It makes a due refund again under the refund's own key. The completer never charges: it has no card.
Failed attempts are repeated with growing pauses; the time of the next attempt is in the payment's row.
Source: Leach, "Implementing Stripe-like Idempotency Keys in Postgres" (2017), the completer.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shop.checkout.cancellation import OrderCancellation
from shop.checkout.payment_reconciler import GIVE_UP_AFTER, PaymentReconciler
from shop.database.transactions import Database
from shop.errors import NotFound, ProviderUnavailable, ServiceUnavailable, StateConflict
from shop.orders import queries
from shop.orders.events import CancellationCause
from shop.orders.transitions import OrderStatus
from shop.payments.service import PaymentService

BATCH_SIZE = 100
"""Orders per round. Each needs a call to the provider; the rest waits for the next round."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CompletionRound:
    """The results of one round, in orders."""

    paid: int = 0
    """The charge was found, so the order is paid. Two completers at the same time may both count the same order."""
    undone: int = 0
    """Nothing was charged, so the order is cancelled and its stock is released."""
    refunded: int = 0
    """The refund was made."""
    left: int = 0
    """Another process works on the order, or the provider does not tell the outcome yet."""


class CheckoutCompleter:
    """The body of a background loop. Two may run at once: each payment is claimed first, each refund has a key.

    Args:
        database: the store's database.
        payments: finds open payments and due refunds.
        reconciler: settles an order by the provider's ledger.
        cancellation: makes refunds.
    """

    def __init__(
        self,
        database: Database,
        payments: PaymentService,
        reconciler: PaymentReconciler,
        cancellation: OrderCancellation,
    ) -> None:
        self._database = database
        self._payments = payments
        self._reconciler = reconciler
        self._cancellation = cancellation

    def run_once(self) -> CompletionRound:
        """Settle open payments and make due refunds; return the results."""
        with self._database.reading() as session:
            open_orders = queries.order_ages(session, self._payments.unsettled(session, BATCH_SIZE))
            refunds_due = queries.order_ages(session, self._payments.refunds_due(session, BATCH_SIZE))
        results = [self._try(self._settle, public_id, age) for public_id, age in open_orders.items()]
        results += [
            self._try(
                lambda public_id, age: OrderStatus.REFUNDED if self._cancellation.refund(public_id) else None,
                public_id,
                age,
            )
            for public_id, age in refunds_due.items()
        ]
        done = CompletionRound(
            paid=results.count(OrderStatus.PAID),
            undone=results.count(OrderStatus.CANCELLED),
            refunded=results.count(OrderStatus.REFUNDED),
            left=results.count(None),
        )
        if open_orders or refunds_due:
            _log.info(
                "checkouts_completed", extra={"paid": done.paid, "undone": done.undone, "refunded": done.refunded}
            )
        return done

    def _settle(self, public_id: str, age: timedelta) -> OrderStatus:
        is_old = age > GIVE_UP_AFTER
        try:
            return self._reconciler.reconcile(public_id, CancellationCause.ABANDONED, give_up=is_old)
        except ProviderUnavailable as error:
            if is_old:  # a younger order has had less than a minute: nothing has failed yet
                self._reconciler.postpone(public_id, error)
            raise

    def _try(
        self, work: Callable[[str, timedelta], OrderStatus | None], public_id: str, age: timedelta
    ) -> OrderStatus | None:
        """Work on one order. If that fails, return ``None``, so the round continues with the next order."""
        try:
            return work(public_id, age)
        except (StateConflict, NotFound, ServiceUnavailable) as refusal:
            _log.info("checkout_not_completed", extra={"order": public_id, "reason": refusal.detail})
            return None
