"""Our record of each payment, and the calls that change what it records.

The status of a record changes only along ``TRANSITIONS`` (:mod:`shop.payments.transitions`). Methods with a session
run in the caller's transaction; methods without one are called outside a transaction.
"""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from sqlalchemy import ARRAY, Table, Text, any_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import DeferredStatement
from shop.database.transactions import Database
from shop.errors import NotFound, ProviderUnavailable, StateConflict
from shop.money import Money
from shop.patterns.resilience import deadlines
from shop.payments import retry_schedule
from shop.payments.models import Payment, WebhookConflict
from shop.payments.provider import (
    ChargeDeclined,
    ChargeRequest,
    ChargeSucceeded,
    PaymentProvider,
    ProviderFailed,
    ProviderNotReached,
    ProviderRefused,
)
from shop.payments.refunds import OWED, refund_key, refund_rest
from shop.payments.transitions import PREDECESSORS
from shop.payments.webhooks import WebhookEvent
from shop.storable import is_storable

_payments = cast(Table, Payment.__table__)
_OPEN = insert(_payments).inline().values(claimed_until=func.clock_timestamp() + bindparam("claimed_for"))
_MOVE = (
    update(_payments)
    .where(
        _payments.columns.order_id == bindparam("of"),
        _payments.columns.status == any_(bindparam("legal", type_=ARRAY(Text))),
    )
    .values(
        status=bindparam("to"),
        provider_id=func.coalesce(bindparam("known_as"), _payments.columns.provider_id),
        claimed_until=None,
        attempts=0,
        next_attempt_at=None,
        last_error=None,
        updated_at=func.clock_timestamp(),
    )
    .returning(_payments.columns.id)
)
"""One statement to look and to change: nobody can come in between."""
_IS_DUE = or_(Payment.next_attempt_at.is_(None), Payment.next_attempt_at <= func.clock_timestamp())
_LONGEST_DUE = (Payment.next_attempt_at.asc().nulls_first(), Payment.id)


@dataclass(frozen=True, slots=True)
class NotCharged:
    """Nothing has moved.

    Args:
        conclusive: whether that is known of the key for good, or only of this one call.
    """

    conclusive: bool


@dataclass(frozen=True, slots=True)
class OutcomePending:
    """Nobody can say yet; ask again later under the same key."""


Outcome = ChargeSucceeded | ChargeDeclined | NotCharged | OutcomePending


class PaymentService:
    """Payments of orders.

    Args:
        provider: moves the money.
        limit_s: seconds for a charge and the look into the provider's books together, with all their attempts.
        claim_s: seconds for which one request has the payment to itself; longer than that and the writing down.
    """

    def __init__(self, provider: PaymentProvider, limit_s: float, claim_s: float) -> None:
        self._provider = provider
        self._limit_s = limit_s
        self._claim = timedelta(seconds=claim_s)

    def open(self, session: Session, order_id: int, amount: Money, charge_key: str) -> None:
        """Write down, with the commit, that a charge is about to be tried, claimed by the caller."""
        row = {
            "order_id": order_id,
            "amount": amount.amount,
            "currency": amount.currency,
            "charge_key": charge_key,
            "claimed_for": self._claim,
        }
        Database.execute_with_commit(session, DeferredStatement(_OPEN, row))

    def claim(self, session: Session, order_id: int) -> bool:
        """Take a pending payment for the caller; return false while another has it, or when it is settled."""
        free = or_(Payment.claimed_until.is_(None), Payment.claimed_until < func.clock_timestamp())
        taken = session.execute(
            update(Payment)
            .where(Payment.order_id == order_id, Payment.status == "pending", free)
            .values(claimed_until=func.clock_timestamp() + self._claim)
            .returning(Payment.id)
        )
        return taken.one_or_none() is not None

    def release(self, session: Session, order_id: int) -> None:
        """Give a claim back, so the next request need not wait until it runs out."""
        session.execute(update(Payment).where(Payment.order_id == order_id).values(claimed_until=None))

    def for_order(self, session: Session, order_id: int) -> Payment:
        """Return an order's payment as it stands.

        Raises:
            NotFound: the order came with a data set and has none.
        """
        return _found(session.scalar(select(Payment).where(Payment.order_id == order_id)))

    def by_charge_key(self, session: Session, charge_key: str) -> Payment | None:
        """Return the payment whose charge has this key, as it stands; ``None`` for a key that cannot be ours."""
        if not is_storable(charge_key):
            return None
        return session.scalar(select(Payment).where(Payment.charge_key == charge_key))

    def unsettled(self, session: Session, limit: int) -> list[int]:
        """Return the orders whose payment is pending and claimed by nobody: a request left it, or died over it.

        What failed before is left out until its next attempt is due. Of the others, those that have waited longest come
        first, so none that fails again and again stands in the way.
        """
        free = or_(Payment.claimed_until.is_(None), Payment.claimed_until < func.clock_timestamp())
        found = select(Payment.order_id).where(Payment.status == "pending", free, _IS_DUE)
        return list(session.scalars(found.order_by(*_LONGEST_DUE).limit(limit)))

    def refunds_due(self, session: Session, limit: int) -> list[int]:
        """Return the orders whose money is to go back by itself, and whose next attempt is due; in the same order."""
        found = select(Payment.order_id).where(Payment.status == "refund_pending", _IS_DUE)
        return list(session.scalars(found.order_by(*_LONGEST_DUE).limit(limit)))

    def postpone(self, session: Session, order_id: int, error: ProviderUnavailable) -> None:
        """Write down that an attempt failed, why, and when the next one is due.

        A refund that is refused again and again, or is not answered for days, is then a case for staff.
        """
        this = update(Payment).where(Payment.order_id == order_id, Payment.status.in_(("pending", *OWED)))
        counted = this.values(attempts=Payment.attempts + 1, last_error=error.detail)
        found = session.execute(counted.returning(Payment.attempts, Payment.status)).one_or_none()
        if found is None:
            return  # settled meanwhile
        attempts, status = found
        cap_s = retry_schedule.SETTLE_CAP_S if status == "pending" else retry_schedule.REFUND_CAP_S
        pause = retry_schedule.pause(attempts, random.random(), cap_s)
        session.execute(this.values(next_attempt_at=func.clock_timestamp() + pause))
        if retry_schedule.is_exhausted(attempts, refused=isinstance(error, ProviderRefused)):
            session.execute(this.where(Payment.status == "refund_pending").values(status="refund_failed"))

    def note_conflict(self, session: Session, notice: WebhookEvent, says: str) -> None:
        """Write down, once, that a message of the provider contradicts our record, for the auditor to tell."""
        row = {"charge_key": notice.charge_key, "provider_id": notice.provider_id, "type": notice.happened.value}
        session.execute(upsert(WebhookConflict).values(**row, says=says).on_conflict_do_nothing())

    def transition(self, session: Session, order_id: int, status: str, provider_id: str | None = None) -> None:
        """Settle the record one step further, and end any claim on it.

        Raises:
            StateConflict: no such step leads on from where it stands.
            NotFound: the order has no payment.
        """
        step = {"of": order_id, "to": status, "known_as": provider_id, "legal": PREDECESSORS[status]}
        if session.execute(_MOVE, step).one_or_none() is None:
            stands = self.for_order(session, order_id).status
            raise StateConflict(f"A payment that is {stands} cannot become {status}.")

    def charge(self, request: ChargeRequest) -> Outcome:
        """Take the money; where the answer stays out, look into the provider's books."""
        with deadlines.within(self._limit_s):
            try:
                return self._provider.charge(request)
            except ProviderNotReached:
                return NotCharged(conclusive=False)
            except ProviderFailed:
                return self.find(request.key) or NotCharged(conclusive=True)
            except ProviderUnavailable:
                # An empty book proves nothing here: the charge may still be on its way.
                return self.find(request.key) or OutcomePending()

    def find(self, charge_key: str) -> ChargeSucceeded | ChargeDeclined | OutcomePending | None:
        """Return what the provider's books say of a charge; ``None`` where they hold none."""
        try:
            with deadlines.within(self._limit_s):
                return self._provider.find_charge(charge_key)
        except ProviderUnavailable:
            return OutcomePending()

    def refund(self, payment: Payment) -> None:
        """Give the money back: all of it, or what is left where a part was given back by hand.

        Raises:
            ProviderRefused: the provider will not give back what is left.
            ProviderUnavailable: not known to be done; calling again is safe.
        """
        if payment.provider_id is None:
            raise StateConflict("There is nothing to give back.")
        if not payment.amount:
            return  # an order that came to nothing was never charged
        amount = Money(payment.amount, payment.currency)
        with deadlines.within(self._limit_s):
            try:
                self._provider.refund(refund_key(payment), payment.provider_id, amount)
            except ProviderRefused as refusal:
                refund_rest(self._provider, payment, refusal)


def _found(payment: Payment | None) -> Payment:
    if payment is None:
        raise NotFound("This order has no payment.")
    return payment
