"""A message, and the function that writes it in the transaction of its change."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import PipelinedStatement
from shop.database.transactions import Database
from shop.patterns.observability import correlation
from shop.patterns.outbox.models import OutboxMessage

INSERT = insert(cast(Table, OutboxMessage.__table__)).inline()
"""Inline: the INSERT returns nothing, because it is sent with the COMMIT and its result is not read."""


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message as a consumer receives it.

    Args:
        message_id: the same for every delivery of the message.
        aggregate: the kind of thing the message is about, such as ``order``.
        aggregate_id: the id of that thing.
        topic: the event or the command.
        payload: JSON; small, because the consumer reads the present data of the thing itself.
        created_at: when the message was written, just before its commit.
        attempts: number of failed attempts of its consumer.
        request_id: of the request that wrote the message.
        traceparent: of that request.
        consumer: the only consumer it is for; ``None`` for all consumers of the topic.
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
        """Return the message as it is sent over the broker."""
        return {**asdict(self), "message_id": str(self.message_id), "created_at": self.created_at.isoformat()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "QueueMessage":
        """Return the message of a document of :meth:`to_json`; ignore unknown fields, which a newer release may add.

        Raises:
            KeyError: a field is missing.
            ValueError: an id or a time is malformed.
        """
        values = {field.name: document[field.name] for field in fields(cls)}
        values["message_id"] = uuid.UUID(document["message_id"])
        values["created_at"] = datetime.fromisoformat(document["created_at"])
        return cls(**values)


def is_waiting(session: Session, aggregate: str, aggregate_id: str, topic: str) -> bool:
    """Return whether the outbox has a message of this topic about a thing."""
    is_about_it = (
        (OutboxMessage.aggregate == aggregate)
        & (OutboxMessage.aggregate_id == aggregate_id)
        & (OutboxMessage.topic == topic)
    )
    return session.scalar(select(OutboxMessage.id).where(is_about_it).limit(1)) is not None


def enqueue(
    session: Session, aggregate: str, aggregate_id: str, topic: str, payload: Mapping[str, Any] | None = None
) -> None:
    """Write a message in the caller's transaction. It costs no round trip, because it is sent with the COMMIT.

    The caller holds the aggregate's lock; the lock puts the aggregate's messages in order.

    Args:
        session: of the transaction that makes the change.
        aggregate: the kind of thing, such as ``order``.
        aggregate_id: the id of that thing.
        topic: the event or the command.
        payload: data that the consumer needs and cannot look up.
    """
    row = {
        "aggregate": aggregate,
        "aggregate_id": aggregate_id,
        "topic": topic,
        "payload": dict(payload or {}),
        "request_id": correlation.request_id.get(),
        "traceparent": correlation.traceparent.get(),
    }
    Database.execute_with_commit(session, PipelinedStatement(INSERT, row))
