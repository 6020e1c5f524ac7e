"""What a checkout or a cancellation has left undone is finished, without anybody coming back for it.

Problem: a process dies, or the provider does not answer; the order stands half done, its pieces are nobody's, and the
shopper may never press the button again.
Method: the recovery points are rows, so what is undone can be asked for: a payment that is pending and claimed by
nobody, a refund that is owed. The first is settled by the provider's books, and undone once no charge can be on its
way any more; the second is made again under its own key. Never is anything charged here: the completer has no card.
What fails is tried again later and later, by a time that stands in its row.
Source: Leach, "Implementing Stripe-like Idempotency Keys in Postgres" (2017), the completer.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shop.checkout.cancellation import OrderCancellation
from shop.checkout.payment_reconciler import GIVEN_UP_AFTER, PaymentReconciler
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
class CompletionRound:
    """What one round came to, in orders."""

    paid: int = 0
    """Charged after all; the order goes its way. Two completers at once may both say so of one."""
    undone: int = 0
    """Not charged, and called off: the pieces are back on the shelf."""
    refunded: int = 0
    """The money is back."""
    left: int = 0
    """Somebody is at work on it, or the provider cannot say yet."""


class CheckoutCompleter:
    """A loop's body; safe to run twice at once: a payment is claimed before it is settled, a refund has a key.

    Args:
        database: where orders are.
        payments: knows what is open.
        reconciler: settles an order by the provider's books.
        cancellation: gives money back.
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
        """Settle what was left open and refund what is owed; return what became of it."""
        with self._database.reading() as session:
            open_ = queries.ages(session, self._payments.unsettled(session, MOST_AT_ONCE))
            owed = queries.ages(session, self._payments.refunds_due(session, MOST_AT_ONCE))
        ends = [self._tried(self._settle, public_id, age) for public_id, age in open_.items()]
        ends += [self._tried(self._refund, public_id, age) for public_id, age in owed.items()]
        done = CompletionRound(
            paid=ends.count(OrderStatus.PAID),
            undone=ends.count(OrderStatus.CANCELLED),
            refunded=ends.count(OrderStatus.REFUNDED),
            left=ends.count(None),
        )
        if open_ or owed:
            _log.info("completed", extra={"paid": done.paid, "undone": done.undone, "refunded": done.refunded})
        return done

    def _settle(self, public_id: str, age: timedelta) -> OrderStatus:
        is_old = age > GIVEN_UP_AFTER
        try:
            return self._reconciler.reconcile(public_id, CancellationCause.ABANDONED, give_up=is_old)
        except ProviderUnavailable as error:
            if is_old:  # before that, an order is looked at for less than a minute, and nothing has failed yet
                self._reconciler.postpone(public_id, error)
            raise

    def _refund(self, public_id: str, age: timedelta) -> OrderStatus | None:
        return OrderStatus.REFUNDED if self._cancellation.refund(public_id) else None

    def _tried(
        self, work: Callable[[str, timedelta], OrderStatus | None], public_id: str, age: timedelta
    ) -> OrderStatus | None:
        """Do one; what cannot be done now keeps nobody from doing the next."""
        try:
            return work(public_id, age)
        except (StateConflict, NotFound, ServiceUnavailable) as refusal:
            _log.info("not_completed", extra={"order": public_id, "reason": refusal.detail})
            return None
