"""The table of messages that the relay has not published yet."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class OutboxMessage(ModelBase):
    """One message; the relay deletes the row when the broker has confirmed the message."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_aggregate", "aggregate", "aggregate_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    """The order of the messages of one aggregate: a writer holds the aggregate's lock, so the ids of one aggregate are
    committed in their order. The ids of two aggregates are not."""
    message_id: Mapped[uuid.UUID] = mapped_column(Uuid, server_default=func.gen_random_uuid())
    """Consumers recognise a second delivery by it."""
    aggregate: Mapped[str] = mapped_column(Text)
    aggregate_id: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    consumer: Mapped[str | None] = mapped_column(Text)
    """The only consumer it is for: a retried message was handled by the others. Null: all consumers of the topic."""
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    """Number of failed attempts of its consumer."""
    request_id: Mapped[str] = mapped_column(Text, server_default=text("''"))
    traceparent: Mapped[str] = mapped_column(Text, server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    due_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    """The relay does not publish it before; later than ``created_at`` for a message that is retried."""
    claimed_until: Mapped[datetime | None] = mapped_column()
    """Until then no other relay may claim it."""
