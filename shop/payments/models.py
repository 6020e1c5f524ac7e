"""Tables of the payments."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase
from shop.payments.transitions import STATUSES


class Payment(ModelBase):
    """The store's record of one charge. The provider's ledger is the authority; this row is a copy."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status_known"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
        CheckConstraint("currency = 'EUR'", name="currency_known"),
        CheckConstraint(
            "provider_id IS NOT NULL OR status IN ('pending', 'declined', 'abandoned')", name="charge_has_provider_id"
        ),
        Index("uq_payments_charge_key", "charge_key", unique=True),
        Index("ix_payments_unsettled", "id", postgresql_where=text("status IN ('pending', 'refund_pending')")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), unique=True)
    charge_key: Mapped[str] = mapped_column(Text)
    """The idempotency key of the charge at the provider."""
    provider_id: Mapped[str | None] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text, server_default=text("'EUR'"))
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending'"))
    claimed_until: Mapped[datetime | None] = mapped_column()
    """Until then, one request may call the provider about it; others wait."""
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    """The number of failed attempts in this status."""
    refusals: Mapped[int] = mapped_column(server_default=text("0"))
    """How many of them, the last ones in a row, the provider has refused."""
    next_attempt_at: Mapped[datetime | None] = mapped_column()
    """The time of the next automatic attempt; null: at once."""
    last_error: Mapped[str | None] = mapped_column(Text)
    """Why the last attempt failed, in words for staff."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebhookConflict(ModelBase):
    """A signed webhook that contradicts the store's record. The store changes nothing; the auditor reports it."""

    __tablename__ = "webhook_conflicts"
    __table_args__ = (UniqueConstraint("charge_key", "provider_id", "type"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    charge_key: Mapped[str] = mapped_column(Text)
    provider_id: Mapped[str] = mapped_column(Text)
    """The charge's id in the webhook."""
    type: Mapped[str] = mapped_column(Text)
    """The webhook's event type."""
    says: Mapped[str] = mapped_column(Text)
    """The contradiction."""
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SettledCharge(ModelBase):
    """The decision on an orphaned charge: a charge at the provider without an order here."""

    __tablename__ = "settled_charges"
    __table_args__ = (CheckConstraint("decision IN ('refunded', 'kept')", name="decision_known"),)

    provider_id: Mapped[str] = mapped_column(Text, primary_key=True)
    decision: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    settled_by: Mapped[str] = mapped_column(Text)
    """The operating system account that ran the command."""
    settled_at: Mapped[datetime] = mapped_column(server_default=func.now())
