"""The store's record of each payment, and the calls to the provider that change it.

A status changes only along ``TRANSITIONS`` (:mod:`shop.payments.transitions`). Methods with a session
run in the caller's transaction; methods without one are called outside a transaction.
"""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from sqlalchemy import ARRAY, Table, Text, any_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import PipelinedStatement
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
from shop.payments.refunds import refund_key, refund_remainder
from shop.payments.transitions import OWED_STATUSES, PREDECESSORS, PaymentStatus
from shop.payments.webhooks import WebhookEvent
from shop.storable_text import is_storable

_payments = cast(Table, Payment.__table__)
_INSERT = insert(_payments).inline().values(claimed_until=func.clock_timestamp() + bindparam("claimed_for"))
_TRANSITION = (
    update(_payments)
    .where(
        _payments.columns.order_id == bindparam("order"),
        _payments.columns.status == any_(bindparam("predecessors", type_=ARRAY(Text))),
    )
    .values(
        status=bindparam("new_status"),
        provider_id=func.coalesce(bindparam("charge_id"), _payments.columns.provider_id),
        claimed_until=None,
        attempts=0,
        refusals=0,
        next_attempt_at=None,
        last_error=None,
        updated_at=func.clock_timestamp(),
    )
    .returning(_payments.columns.id)
)
"""One statement checks and changes the status, so no other transaction comes between."""
_IS_DUE = or_(Payment.next_attempt_at.is_(None), Payment.next_attempt_at <= func.clock_timestamp())
_BY_DUE_TIME = (Payment.next_attempt_at.asc().nulls_first(), Payment.id)


@dataclass(frozen=True, slots=True)
class NotCharged:
    """Nothing was charged.

    Args:
        conclusive: true if no call with this key has charged the card; false if only the last call is known to have
            charged nothing.
    """

    conclusive: bool


@dataclass(frozen=True, slots=True)
class OutcomePending:
    """The outcome is not known yet; ask again later under the same key."""


Outcome = ChargeSucceeded | ChargeDeclined | NotCharged | OutcomePending


class PaymentService:
    """Payments of orders.

    Args:
        provider: the payments provider.
        limit_s: seconds for a charge and the look-up in the provider's ledger together, with all their attempts.
        claim_s: seconds for which one request claims the payment; longer than ``limit_s`` and the settle phase.
    """

    def __init__(self, provider: PaymentProvider, limit_s: float, claim_s: float) -> None:
        self.provider = provider
        self._limit_s = limit_s
        self._claim = timedelta(seconds=claim_s)

    def open(self, session: Session, order_id: int, amount: Money, charge_key: str) -> None:
        """Insert a pending payment, claimed by the caller, together with the commit."""
        row = {
            "order_id": order_id,
            "amount": amount.amount,
            "currency": amount.currency,
            "charge_key": charge_key,
            "claimed_for": self._claim,
        }
        Database.execute_with_commit(session, PipelinedStatement(_INSERT, row))

    def claim(self, session: Session, order_id: int) -> bool:
        """Claim a pending payment for the caller; return false if another request holds it, or if it is settled."""
        free = or_(Payment.claimed_until.is_(None), Payment.claimed_until < func.clock_timestamp())
        taken = session.execute(
            update(Payment)
            .where(Payment.order_id == order_id, Payment.status == PaymentStatus.PENDING.value, free)
            .values(claimed_until=func.clock_timestamp() + self._claim)
            .returning(Payment.id)
        )
        return taken.one_or_none() is not None

    def release(self, session: Session, order_id: int) -> None:
        """Release a claim, so the next request need not wait until the claim expires."""
        session.execute(update(Payment).where(Payment.order_id == order_id).values(claimed_until=None))

    def for_order(self, session: Session, order_id: int) -> Payment:
        """Return an order's payment.

        Raises:
            NotFound: the order has no payment.
        """
        payment = session.scalar(select(Payment).where(Payment.order_id == order_id))
        if payment is None:
            raise NotFound("This order has no payment.")
        return payment

    def by_charge_key(self, session: Session, charge_key: str) -> Payment | None:
        """Return the payment whose charge has this key; ``None`` if there is none, or if the key cannot be stored."""
        if not is_storable(charge_key):
            return None
        return session.scalar(select(Payment).where(Payment.charge_key == charge_key))

    def unsettled(self, session: Session, limit: int) -> list[int]:
        """Return the orders whose payment is pending and not claimed: its request has ended, or its process has died.

        A payment whose last attempt failed is left out until its next attempt is due. The payment that is due longest
        comes first, so a payment that fails again and again does not block the others.
        """
        free = or_(Payment.claimed_until.is_(None), Payment.claimed_until < func.clock_timestamp())
        order_ids = select(Payment.order_id).where(Payment.status == PaymentStatus.PENDING.value, free, _IS_DUE)
        return list(session.scalars(order_ids.order_by(*_BY_DUE_TIME).limit(limit)))

    def refunds_due(self, session: Session, limit: int) -> list[int]:
        """Return the orders with a pending refund whose next attempt is due, in the same order."""
        order_ids = select(Payment.order_id).where(Payment.status == PaymentStatus.REFUND_PENDING.value, _IS_DUE)
        return list(session.scalars(order_ids.order_by(*_BY_DUE_TIME).limit(limit)))

    def postpone(self, session: Session, order_id: int, error: ProviderUnavailable) -> None:
        """Record a failed attempt, its reason, and the time of the next one.

        A refund that is refused again and again, or gets no answer for days, fails for good: staff must act.
        """
        unsettled = (PaymentStatus.PENDING.value, *OWED_STATUSES)
        this = update(Payment).where(Payment.order_id == order_id, Payment.status.in_(unsettled))
        counted = this.values(
            attempts=Payment.attempts + 1,
            refusals=Payment.refusals + 1 if isinstance(error, ProviderRefused) else 0,
            last_error=error.detail,
        )
        row = session.execute(counted.returning(Payment.attempts, Payment.refusals, Payment.status)).one_or_none()
        if row is None:
            return  # settled in the meantime
        attempts, refusals, status = row
        cap_s = retry_schedule.SETTLE_CAP_S if status == PaymentStatus.PENDING else retry_schedule.REFUND_CAP_S
        delay = retry_schedule.retry_delay(attempts, random.random(), cap_s)
        session.execute(this.values(next_attempt_at=func.clock_timestamp() + delay))
        if retry_schedule.is_exhausted(attempts, refusals):
            pending_refund = this.where(Payment.status == PaymentStatus.REFUND_PENDING.value)
            session.execute(pending_refund.values(status=PaymentStatus.REFUND_FAILED.value))

    def record_conflict(self, session: Session, event: WebhookEvent, contradiction: str) -> None:
        """Record once that a webhook contradicts the store's record; the auditor reports it."""
        row = {"charge_key": event.charge_key, "provider_id": event.provider_id, "type": event.type.value}
        session.execute(upsert(WebhookConflict).values(**row, says=contradiction).on_conflict_do_nothing())

    def transition(
        self, session: Session, order_id: int, status: PaymentStatus, provider_id: str | None = None
    ) -> None:
        """Change the status of a payment, and end any claim on it.

        Raises:
            StateConflict: no transition leads from the present status to this one.
            NotFound: the order has no payment.
        """
        step = {
            "order": order_id,
            "new_status": status.value,
            "charge_id": provider_id,
            "predecessors": PREDECESSORS[status],
        }
        if session.execute(_TRANSITION, step).one_or_none() is None:
            present = self.for_order(session, order_id).status
            raise StateConflict(f"A payment that is {present} cannot become {status}.")

    def charge(self, request: ChargeRequest) -> Outcome:
        """Charge the card. If the call fails or its outcome is unknown, look the charge up in the provider's ledger.

        A call that the provider refuses (another 4xx) is looked up as well: an earlier call with the same key may have
        charged the card. If the look-up is refused too, for example because the API key is wrong, the outcome stays
        pending: the store must not cancel an order that may be paid.
        """
        with deadlines.within(self._limit_s):
            try:
                return self.provider.charge(request)
            except ProviderNotReached:
                return NotCharged(conclusive=False)
            except ProviderFailed:
                return self.find_charge(request.key) or NotCharged(conclusive=True)
            except ProviderUnavailable:
                # A missing charge proves nothing here: the charge may still be in progress.
                return self.find_charge(request.key) or OutcomePending()

    def find_charge(self, charge_key: str) -> ChargeSucceeded | ChargeDeclined | OutcomePending | None:
        """Look a charge up in the provider's ledger.

        Returns:
            The charge; ``None`` if the ledger has no such charge; :class:`OutcomePending` if the ledger could not be
            read.
        """
        try:
            with deadlines.within(self._limit_s):
                return self.provider.find_charge(charge_key)
        except ProviderUnavailable:
            return OutcomePending()

    def refund(self, payment: Payment) -> None:
        """Refund a payment: the entire amount, or the remainder if staff has refunded a part at the provider.

        Raises:
            ProviderRefused: the provider refuses to refund the remainder.
            ProviderUnavailable: the outcome is unknown; another call is safe.
        """
        if payment.provider_id is None:
            raise StateConflict("There is nothing to refund.")
        if not payment.amount:
            return  # an order with a total of zero was never charged
        amount = Money(payment.amount, payment.currency)
        with deadlines.within(self._limit_s):
            try:
                self.provider.refund(refund_key(payment), payment.provider_id, amount)
            except ProviderRefused as refusal:
                refund_remainder(self.provider, payment, refusal)
