"""The table of messages that wait to be handed to the queue."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class OutboxMessage(ModelBase):
    """One message; the row is there until the broker has it."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_aggregate", "aggregate", "aggregate_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    """Its place among the messages of its aggregate: who writes one holds the aggregate's lock, so within an aggregate
    ids are committed in their order. Between two aggregates they are not."""
    message_id: Mapped[uuid.UUID] = mapped_column(Uuid, server_default=func.gen_random_uuid())
    """What consumers know it by when it comes twice."""
    aggregate: Mapped[str] = mapped_column(Text)
    aggregate_id: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    consumer: Mapped[str | None] = mapped_column(Text)
    """Whom alone it is for: one that is tried again was handled well by the others. Null: all who take the topic."""
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    """How often its consumer has failed at it."""
    request_id: Mapped[str] = mapped_column(Text, server_default=text("''"))
    traceparent: Mapped[str] = mapped_column(Text, server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    due_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    """Not to be handed on before; later than ``created_at`` for one that is tried again."""
    claimed_until: Mapped[datetime | None] = mapped_column()
    """Until when one relay has it to itself."""
