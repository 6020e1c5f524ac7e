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
    """The row of an order, for keys, locks and joins. Each event and this row are written in one transaction.

    Only this row has the contact details and the checkout key. All other columns follow from the events.
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
    """Random. It is the only public id, so a client cannot count the orders."""
    number: Mapped[str] = mapped_column(Text, unique=True)
    """The number that a customer reads out on the telephone."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    guest_id: Mapped[uuid.UUID | None] = mapped_column()
    """The guest who placed it: the id in the signed cookie. It opens nothing once ``user_id`` is set."""
    email: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=text("'pending_payment'"))
    version: Mapped[int] = mapped_column(server_default=text("0"))
    """The version of the last event."""
    total_amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text, server_default=text("'EUR'"))
    address: Mapped[dict[str, Any]] = mapped_column(JSONB)
    checkout_owner: Mapped[str | None] = mapped_column(Text)
    """The owner of ``checkout_key``: two owners never share a key."""
    checkout_key: Mapped[str | None] = mapped_column(Text)
    """The ``Idempotency-Key`` of its checkout; null for orders of a data set."""
    checkout_fingerprint: Mapped[str | None] = mapped_column(Text)
    """Hash of the request's details: the same key with other details is refused."""
    link_sent_at: Mapped[datetime | None] = mapped_column()
    """When the link to the order was last sent again, at a guest's request."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OrderLine(ModelBase):
    """One product of an order, with its title and price at the time of the order."""

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
    """The cart's line it was bought from: the auditor finds two orders of one line; null for older orders."""


class OrderEventRow(ModelBase):
    """A stored event of an order. Rows are only appended; versions have no gaps.

    A trigger refuses every UPDATE, and every DELETE except together with the order.
    """

    __tablename__ = "order_events"
    __table_args__ = (CheckConstraint("version > 0", name="version_positive"),)

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    schema_version: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    """The schema version of ``data``; an old one is upcast when the event is read."""
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


STREAMS = EventStore(OrderEventRow, "order_id")


class OrderSummary(ModelBase):
    """The read model: a row per order for lists and counts. It follows from the events alone.

    It has no foreign key: readers must not delay writers, and a rebuild replaces the table.
    """

    __tablename__ = "order_summaries"
    __table_args__ = (
        Index("ix_order_summaries_status", "status", "order_id"),
        Index("ix_order_summaries_owes_refund", "order_id", postgresql_where=text("owes_refund")),
    )

    order_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column()
    """The version of the last event in it; an older version never overwrites a newer one."""
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
    """An event that is not projected to the read model yet.

    There is one row per event, not one per order: a projector deletes the rows that it has processed, and must not
    delete the row of an event that was appended in the meantime.
    """

    __tablename__ = "orders_to_project"

    order_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    queued_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)
