"""Our record of each payment, and the calls that change what it records.

A record moves only along :data:`LEGAL`; methods that take a session belong to the caller's transaction, methods that
do not must be called outside one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from shop.errors import Conflict, NotFound, ProviderUnavailable
from shop.money import Money
from shop.patterns.resilience import deadlines
from shop.payments.models import Payment
from shop.payments.provider import (
    Charged,
    ChargeRequest,
    Declined,
    Provider,
    ProviderFailed,
    ProviderNotReached,
)

LEGAL: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "pending": frozenset({"charged", "declined", "abandoned", "refund_pending"}),
        "abandoned": frozenset({"refund_pending"}),  # the charge we had given up on came through after all
        "charged": frozenset({"refund_pending"}),
        "refund_pending": frozenset({"refunded"}),
        "declined": frozenset(),
        "refunded": frozenset(),
    }
)


@dataclass(frozen=True, slots=True)
class NotCharged:
    """Nothing has moved.

    Args:
        conclusive: whether that is known of the key for good, or only of this one call.
    """

    conclusive: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say yet; ask again later under the same key."""


Outcome = Charged | Declined | NotCharged | Unknown


class Payments:
    """Payments of orders.

    Args:
        provider: moves the money.
        limit_s: seconds for a charge and the look into the provider's books together, with all their attempts.
        claim_s: seconds for which one request has the payment to itself; longer than that and the writing down.
    """

    def __init__(self, provider: Provider, limit_s: float, claim_s: float) -> None:
        self._provider = provider
        self._limit_s = limit_s
        self._claim = timedelta(seconds=claim_s)

    def open(self, session: Session, order_id: int, amount: Money, charge_key: str) -> None:
        """Write down that a charge is about to be tried, claimed by the caller."""
        session.add(
            Payment(
                order_id=order_id,
                amount=amount.amount,
                currency=amount.currency,
                charge_key=charge_key,
                claimed_until=func.clock_timestamp() + self._claim,
            )
        )
        session.flush()

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

    def of(self, session: Session, order_id: int) -> Payment:
        """Return an order's payment as it stands.

        Raises:
            NotFound: the order came with a data set and has none.
        """
        return _found(session.scalar(select(Payment).where(Payment.order_id == order_id)))

    def under_key(self, session: Session, charge_key: str) -> Payment | None:
        """Return the payment whose charge has this key, as it stands."""
        return session.scalar(select(Payment).where(Payment.charge_key == charge_key))

    def left_open(self, session: Session, limit: int) -> list[int]:
        """Return the orders whose payment is pending and claimed by nobody: a request left it, or died over it.

        In no order: of those that fail again and again, none may stand in the way of the others.
        """
        free = or_(Payment.claimed_until.is_(None), Payment.claimed_until < func.clock_timestamp())
        found = select(Payment.order_id).where(Payment.status == "pending", free)
        return list(session.scalars(found.order_by(func.random()).limit(limit)))

    def owed(self, session: Session, limit: int) -> list[int]:
        """Return the orders whose money is to go back and has not yet; in no order, as above."""
        found = select(Payment.order_id).where(Payment.status == "refund_pending")
        return list(session.scalars(found.order_by(func.random()).limit(limit)))

    def move(self, session: Session, order_id: int, status: str, provider_id: str | None = None) -> None:
        """Settle the record one step further, and end any claim on it.

        Raises:
            Conflict: no such step leads on from where it stands.
            NotFound: the order has no payment.
        """
        payment = _found(session.scalar(select(Payment).where(Payment.order_id == order_id).with_for_update()))
        if status not in LEGAL[payment.status]:
            raise Conflict(f"A payment that is {payment.status} cannot become {status}.")
        payment.status = status
        payment.provider_id = provider_id or payment.provider_id
        payment.claimed_until = None
        session.flush()

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
                return self.find(request.key) or Unknown()

    def find(self, charge_key: str) -> Charged | Declined | Unknown | None:
        """Return what the provider's books say of a charge; ``None`` where they hold none."""
        try:
            with deadlines.within(self._limit_s):
                return self._provider.find_charge(charge_key)
        except ProviderUnavailable:
            return Unknown()

    def refund(self, payment: Payment) -> None:
        """Give the money back.

        Raises:
            ProviderUnavailable: not known to be done; calling again is safe.
        """
        if payment.provider_id is None:
            raise Conflict("There is nothing to give back.")
        if not payment.amount:
            return  # an order that came to nothing was never charged
        amount = Money(payment.amount, payment.currency)
        with deadlines.within(self._limit_s):
            self._provider.refund(f"refund-{payment.charge_key}", payment.provider_id, amount)


def _found(payment: Payment | None) -> Payment:
    if payment is None:
        raise NotFound("This order has no payment.")
    return payment
