"""Tables of the orders."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shop.db import Base

STATUSES = ("pending_payment", "paid", "shipped", "delivered", "cancelled", "refunded")


class Order(Base):
    """An order as it stands now; how it came to stand so is in its events."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status_known"),
        CheckConstraint("total_amount >= 0", name="total_not_negative"),
        CheckConstraint("currency = 'EUR'", name="currency_known"),
        Index("ix_orders_user_latest", "user_id", text("id DESC")),
        Index("ix_orders_status", "status", "id"),
        Index("uq_orders_checkout_key", "checkout_owner", "checkout_key", unique=True),
        Index("ix_orders_reserved_until", "reserved_until", postgresql_where=text("status = 'pending_payment'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    public_id: Mapped[str] = mapped_column(Text, unique=True)
    """Random; the only id shown outside, so nobody can count the orders."""
    number: Mapped[str] = mapped_column(Text, unique=True)
    """What a person reads out on the telephone."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    email: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending_payment'"))
    total_amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text, server_default=text("'EUR'"))
    address: Mapped[dict[str, Any]] = mapped_column(JSONB)
    checkout_owner: Mapped[str | None] = mapped_column(Text)
    """Whose ``checkout_key`` it is: two people's keys never meet."""
    checkout_key: Mapped[str | None] = mapped_column(Text)
    """The ``Idempotency-Key`` it was placed with; null for orders that came with a data set."""
    checkout_fingerprint: Mapped[str | None] = mapped_column(Text)
    """What was asked for under that key, hashed: the same key with another payload is refused."""
    reserved_until: Mapped[datetime | None] = mapped_column()
    """Until when its pieces are promised without being paid for; says nothing once the payment is settled."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OrderLine(Base):
    """One product of an order, with its title and price as they were when it was bought."""

    __tablename__ = "order_lines"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_price_amount >= 0", name="unit_price_not_negative"),
        Index("ix_order_lines_product_order", "product_id", "order_id"),
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    title: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int] = mapped_column()
    unit_price_amount: Mapped[int] = mapped_column()


class OrderEvent(Base):
    """Something that happened to an order; only ever appended, numbered without gaps."""

    __tablename__ = "order_events"
    __table_args__ = (CheckConstraint("version > 0", name="version_positive"),)

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
