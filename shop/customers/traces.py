"""A person's data outside the features: waiting messages, dead letters, and responses stored for idempotency keys."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from shop.orders.link_requests import email_digest
from shop.patterns.idempotency.models import IdempotencyKey
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.queue.models import DeadLetter


@dataclass(frozen=True, slots=True)
class PersonalTraces:
    """The keys with which a person's messages and stored responses are found.

    Args:
        email: the person's email.
        orders: the public ids of the person's orders.
        owners: the owners of the person's idempotency keys, such as ``user:1``.
    """

    email: str
    orders: Collection[str]
    owners: Collection[str]

    def export(self, session: Session) -> dict[str, Any]:
        """Return the messages and the stored responses as plain values."""
        keys = session.scalars(select(IdempotencyKey).where(self._owns_key()).order_by(IdempotencyKey.created_at))
        return {
            "waiting_messages": [
                _message(row) for row in session.scalars(select(OutboxMessage).where(self._is_about(OutboxMessage)))
            ],
            "dead_letters": [
                _message(row) for row in session.scalars(select(DeadLetter).where(self._is_about(DeadLetter)))
            ],
            "kept_answers": [
                {
                    "route": key.route,
                    "status": key.status,
                    "body": key.body.decode(errors="replace") if key.body is not None else None,
                    "created_at": key.created_at,
                }
                for key in keys
            ],
        }

    def erase(self, session: Session) -> tuple[int, int]:
        """Delete the messages and the stored responses; return the number of each."""
        messages = sum(
            len(session.scalars(delete(table).where(self._is_about(table)).returning(table.id)).all())
            for table in (OutboxMessage, DeadLetter)
        )
        keys = session.scalars(delete(IdempotencyKey).where(self._owns_key()).returning(IdempotencyKey.key)).all()
        return messages, len(keys)

    def _is_about(self, table: type[OutboxMessage | DeadLetter]) -> ColumnElement[bool]:
        by_order = (table.aggregate == "order") & table.aggregate_id.in_(self.orders)
        by_digest = table.payload["email_sha256"].astext == email_digest(self.email)
        return or_(by_order, by_digest, func.lower(table.payload["email"].astext) == self.email)

    def _owns_key(self) -> ColumnElement[bool]:
        # A response to a guest without an owner, such as a registration, is found by the person's data in its body.
        in_body = (
            func.strpos(func.encode(IdempotencyKey.body, "escape"), word) > 0 for word in (self.email, *self.orders)
        )
        return or_(IdempotencyKey.owner.in_(self.owners), *in_body)


def _message(row: OutboxMessage | DeadLetter) -> dict[str, Any]:
    return {"topic": row.topic, "about": row.aggregate_id, "payload": row.payload, "created_at": row.created_at}
