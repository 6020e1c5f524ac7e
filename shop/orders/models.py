"""Tables of the orders."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, SmallInteger, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase
from shop.orders.transitions import OrderStatus
from shop.patterns.event_sourcing import EventStore

STATUSES = tuple(status.value for status in OrderStatus)


class Order(ModelBase):
    """The head of an order's stream, for keys, locks and joins; always written with the event it follows.

    Contact details and checkout keys are stored here alone. All other columns follow from the events.
    """

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status_known"),
        CheckConstraint("total_amount >= 0", name="total_not_negative"),
        CheckConstraint("currency = 'EUR'", name="currency_known"),
        Index("ix_orders_user_latest", "user_id", text("id DESC")),
        Index("ix_orders_guest_latest", "guest_id", text("id DESC"), postgresql_where=text("guest_id IS NOT NULL")),
        Index("uq_orders_checkout_key", "checkout_owner", "checkout_key", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    public_id: Mapped[str] = mapped_column(Text, unique=True)
    """Random; the only id shown outside, so nobody can count the orders."""
    number: Mapped[str] = mapped_column(Text, unique=True)
    """What a person reads out on the telephone."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    guest_id: Mapped[uuid.UUID | None] = mapped_column()
    """The guest it was placed by: the id her signed cookie carried. Opens nothing once ``user_id`` is set."""
    email: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending_payment'"))
    version: Mapped[int] = mapped_column(server_default=text("0"))
    """Of the last event it follows."""
    total_amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text, server_default=text("'EUR'"))
    address: Mapped[dict[str, Any]] = mapped_column(JSONB)
    checkout_owner: Mapped[str | None] = mapped_column(Text)
    """Whose ``checkout_key`` it is: two people's keys never meet."""
    checkout_key: Mapped[str | None] = mapped_column(Text)
    """The ``Idempotency-Key`` it was placed with; null for orders that came with a data set."""
    checkout_fingerprint: Mapped[str | None] = mapped_column(Text)
    """What was asked for under that key, hashed: the same key with another payload is refused."""
    link_sent_at: Mapped[datetime | None] = mapped_column()
    """When a guest was last sent the link to it again, on request."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OrderLine(ModelBase):
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
    cart_line_id: Mapped[uuid.UUID | None] = mapped_column()
    """The line of a cart it was bought from, so that two orders of one line can be told; null for older orders."""


class OrderEvent(ModelBase):
    """Something that happened to an order; only ever appended, numbered without gaps.

    A trigger refuses every UPDATE, and every DELETE but the one that comes with the order's own.
    """

    __tablename__ = "order_events"
    __table_args__ = (CheckConstraint("version > 0", name="version_positive"),)

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    schema_version: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    """Of the shape of ``data``; lifted to today's when it is read."""
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


STREAMS = EventStore(OrderEvent, "order_id")


class OrderSummary(ModelBase):
    """The read model: an order as lists and counts show it, made of its events alone and of nothing else.

    No foreign key: whatever reads from it must not be able to hold up a writer, and it is thrown away and made anew.
    """

    __tablename__ = "order_summaries"
    __table_args__ = (
        Index("ix_order_summaries_status", "status", "order_id"),
        Index("ix_order_summaries_owes_refund", "order_id", postgresql_where=text("owes_refund")),
    )

    order_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column()
    """Of the last event it shows; an older one never overwrites a newer."""
    public_id: Mapped[str] = mapped_column(Text, unique=True)
    number: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(Text)
    owes_refund: Mapped[bool] = mapped_column()
    pieces: Mapped[int] = mapped_column()
    total_amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    placed_at: Mapped[datetime] = mapped_column()
    changed_at: Mapped[datetime] = mapped_column()


class OrderToProject(ModelBase):
    """An event that the read model does not show yet.

    One row an event and not one an order: a projector deletes what it has taken, and must not delete the word of an
    event that was appended while it looked.
    """

    __tablename__ = "orders_to_project"

    order_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    queued_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)
