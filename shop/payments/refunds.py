"""Money that goes back: what is still owed of it, and what became of the attempts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.money import Money
from shop.payments.models import Payment
from shop.payments.provider import ChargeSucceeded, PaymentProvider, ProviderRefused

OWED = ("refund_pending", "refund_failed")
"""Statuses in which money is to go back: by itself, or by staff."""


@dataclass(frozen=True, slots=True)
class OwedRefund:
    """A refund that is still owed, as staff sees it.

    Args:
        attempts: how often it was tried.
        reason: why the last attempt failed; empty before the first.
        next_attempt_at: when it is tried again by itself; ``None``: at once.
        has_failed: whether it is tried no more by itself.
    """

    attempts: int
    reason: str
    next_attempt_at: datetime | None
    has_failed: bool


def owed_refunds(session: Session, order_ids: Collection[int]) -> Mapping[int, OwedRefund]:
    """Return what is owed for some orders, by their ids; orders without an owed refund are left out."""
    found = select(Payment).where(Payment.order_id.in_(order_ids), Payment.status.in_(OWED))
    return {
        payment.order_id: OwedRefund(
            payment.attempts,
            payment.last_error or "",
            payment.next_attempt_at,
            has_failed=payment.status == "refund_failed",
        )
        for payment in session.scalars(found)
    }


def refund_rest(provider: PaymentProvider, payment: Payment, refusal: ProviderRefused) -> None:
    """Give back what the provider has not given back already, where the whole was refused.

    The provider's books say how much that is. The key of the call is made of it, so a call whose answer was lost is
    repeated under its own key, and a further refund by hand leads to a new one.

    Args:
        provider: gives it back.
        payment: of which all is to go back.
        refusal: what the provider said to that.

    Raises:
        ProviderRefused: it will not give back what is left, or its books hold no such charge.
        ProviderUnavailable: not known to be done; calling again is safe.
    """
    charge = provider.find_charge(payment.charge_key)
    if not isinstance(charge, ChargeSucceeded):
        raise ProviderRefused("The provider's books hold no charge for this order.") from refusal
    rest = payment.amount - charge.refunded.amount
    if rest <= 0:
        return
    if not charge.refunded.amount:
        raise refusal
    key = f"{refund_key(payment)}-after-{charge.refunded.amount}"
    provider.refund(key, charge.provider_id, Money(rest, payment.currency))


def refund_key(payment: Payment) -> str:
    """Return the idempotency key under which all of a payment is given back."""
    return f"refund-{payment.charge_key}"
