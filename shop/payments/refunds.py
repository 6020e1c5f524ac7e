"""Refunds: the refunds that are due, and the refund of a remainder."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.money import Money
from shop.payments.models import Payment
from shop.payments.provider import ChargeSucceeded, PaymentProvider, ProviderRefused
from shop.payments.transitions import OWED_STATUSES, PaymentStatus


@dataclass(frozen=True, slots=True)
class OwedRefund:
    """A refund that is due, as staff sees it.

    Args:
        attempts: the number of failed attempts.
        reason: why the last attempt failed; empty before the first.
        next_attempt_at: when the store tries again; ``None``: at once.
        has_failed: whether the store has stopped trying.
    """

    attempts: int
    reason: str
    next_attempt_at: datetime | None
    has_failed: bool


def owed_refunds(session: Session, order_ids: Collection[int]) -> Mapping[int, OwedRefund]:
    """Return the due refunds of some orders, by order id; orders without one are left out."""
    payments = select(Payment).where(Payment.order_id.in_(order_ids), Payment.status.in_(OWED_STATUSES))
    return {
        payment.order_id: OwedRefund(
            payment.attempts,
            payment.last_error or "",
            payment.next_attempt_at,
            has_failed=payment.status == PaymentStatus.REFUND_FAILED,
        )
        for payment in session.scalars(payments)
    }


def refund_remainder(provider: PaymentProvider, payment: Payment, refusal: ProviderRefused) -> None:
    """Refund the part of a payment that is not refunded yet, after the provider has refused to refund all of it.

    The provider's ledger tells how much is refunded already. The key of the call contains that amount. So a call whose
    response was lost is repeated under the same key, and after another manual refund the call has a new key.

    Args:
        provider: makes the refund.
        payment: the payment to refund entirely.
        refusal: the provider's refusal of the entire refund.

    Raises:
        ProviderRefused: the provider refuses to refund the remainder, or its ledger has no such charge.
        ProviderUnavailable: the outcome is unknown; another call is safe.
    """
    charge = provider.find_charge(payment.charge_key)
    if not isinstance(charge, ChargeSucceeded):
        raise ProviderRefused("The provider has no charge for this order.") from refusal
    remainder = payment.amount - charge.refunded.amount
    if remainder <= 0:
        return
    if not charge.refunded.amount:
        raise refusal
    key = f"{refund_key(payment)}-after-{charge.refunded.amount}"
    provider.refund(key, charge.provider_id, Money(remainder, payment.currency))


def refund_key(payment: Payment) -> str:
    """Return the idempotency key of the refund of an entire payment."""
    return f"refund-{payment.charge_key}"
