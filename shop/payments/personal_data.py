"""Personal data in payments: none. Payments are exported with their orders, and stay when a person is forgotten."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.payments.models import Payment


def export(session: Session, order_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the payments of orders, by order."""
    names = ("status", "amount", "currency", "provider_id", "created_at")
    payments = session.scalars(select(Payment).where(Payment.order_id.in_(order_ids)))
    return {payment.order_id: {name: getattr(payment, name) for name in names} for payment in payments}
