"""Tables of the consumers: handled messages, begun deliveries, and dead letters."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Text, UniqueConstraint, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class HandledMessage(ModelBase):
    """One consumer has handled one message; written in the transaction of its work."""

    __tablename__ = "handled_messages"

    consumer: Mapped[str] = mapped_column(Text, primary_key=True)
    message_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    handled_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)


class BegunDelivery(ModelBase):
    """One consumer has begun to handle one message; its thread's next delivery deletes the row."""

    __tablename__ = "begun_deliveries"

    consumer: Mapped[str] = mapped_column(Text, primary_key=True)
    message_id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    holder: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    """The process that handles the message; null while no process does."""
    crashes: Mapped[int] = mapped_column(server_default=text("0"))
    """Number of processes that have ended while they handled the message."""
    begun_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)


class DeadLetter(ModelBase):
    """A message that one consumer no longer retries; ``bin/shop queue requeue`` puts it back into the outbox."""

    __tablename__ = "dead_letters"
    __table_args__ = (UniqueConstraint("consumer", "message_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    consumer: Mapped[str] = mapped_column(Text)
    message_id: Mapped[uuid.UUID] = mapped_column(Uuid)
    aggregate: Mapped[str] = mapped_column(Text)
    aggregate_id: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column()
    error: Mapped[str] = mapped_column(Text)
    """The last error."""
    request_id: Mapped[str] = mapped_column(Text, server_default=text("''"))
    traceparent: Mapped[str] = mapped_column(Text, server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column()
    died_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
