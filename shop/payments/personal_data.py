"""What payments hold about a person: nothing by name; told with her orders, and kept, since the books must balance."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.payments.models import Payment


def export(session: Session, order_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the payments of orders, by order."""
    names = ("status", "amount", "currency", "provider_id", "created_at")
    found = session.scalars(select(Payment).where(Payment.order_id.in_(order_ids)))
    return {payment.order_id: {name: getattr(payment, name) for name in names} for payment in found}
