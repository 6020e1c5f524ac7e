"""A message, and how one is written: with the change it tells of, or not at all."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import DeferredStatement
from shop.database.transactions import Database
from shop.patterns.observability import correlation
from shop.patterns.outbox.models import OutboxMessage

INSERT = insert(cast(Table, OutboxMessage.__table__)).inline()
"""Inline: nothing of the new row is asked for, since its answer comes when nobody listens any more."""


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """What a consumer is given.

    Args:
        message_id: the same for every delivery of it.
        aggregate: what kind of thing it tells of, such as ``order``.
        aggregate_id: which one.
        topic: what happened, or what is wanted.
        payload: JSON; small: a consumer reads what it needs of the thing as it stands then.
        created_at: when it was committed, nearly.
        attempts: how often its consumer has failed at it.
        request_id: of the request it comes from.
        traceparent: of that request.
        consumer: whom alone it is for; ``None`` for all who take the topic.
    """

    message_id: uuid.UUID
    aggregate: str
    aggregate_id: str
    topic: str
    payload: Mapping[str, Any]
    created_at: datetime
    attempts: int = 0
    request_id: str = ""
    traceparent: str = ""
    consumer: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as it travels."""
        return {**asdict(self), "message_id": str(self.message_id), "created_at": self.created_at.isoformat()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "QueueMessage":
        """Read it as it travelled; a field that a newer release has added is passed over.

        Raises:
            KeyError: a field is missing.
            ValueError: an id or a time is malformed.
        """
        made = {field.name: found[field.name] for field in fields(cls)}
        made["message_id"] = uuid.UUID(found["message_id"])
        made["created_at"] = datetime.fromisoformat(found["created_at"])
        return cls(**made)


def is_waiting(session: Session, aggregate: str, aggregate_id: str, topic: str) -> bool:
    """Tell whether the outbox holds a message of this topic about a thing."""
    same = (
        (OutboxMessage.aggregate == aggregate)
        & (OutboxMessage.aggregate_id == aggregate_id)
        & (OutboxMessage.topic == topic)
    )
    return session.scalar(select(OutboxMessage.id).where(same).limit(1)) is not None


def enqueue(
    session: Session, aggregate: str, aggregate_id: str, topic: str, payload: Mapping[str, Any] | None = None
) -> None:
    """Write a message in the caller's transaction; it costs no round trip, for it is sent with the COMMIT.

    The caller holds the aggregate's lock: that is what puts its messages in order.

    Args:
        session: of the transaction that makes the change.
        aggregate: such as ``order``.
        aggregate_id: which one.
        topic: what happened, or what is wanted.
        payload: what the consumer needs and cannot look up.
    """
    row = {
        "aggregate": aggregate,
        "aggregate_id": aggregate_id,
        "topic": topic,
        "payload": dict(payload or {}),
        "request_id": correlation.request_id.get(),
        "traceparent": correlation.traceparent.get(),
    }
    Database.execute_with_commit(session, DeferredStatement(INSERT, row))
