"""What a person leaves in the mechanisms: messages that wait or died, and answers kept under her keys."""

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
    """How a person is found in them.

    Args:
        email: her address.
        orders: the public ids of her orders.
        owners: whose keys are hers, such as ``user:1``.
    """

    email: str
    orders: Collection[str]
    owners: Collection[str]

    def export(self, session: Session) -> dict[str, Any]:
        """Return them as they stand."""
        keys = session.scalars(select(IdempotencyKey).where(self._keys()).order_by(IdempotencyKey.created_at))
        return {
            "waiting_messages": [
                _message(row) for row in session.scalars(select(OutboxMessage).where(self._told(OutboxMessage)))
            ],
            "dead_letters": [
                _message(row) for row in session.scalars(select(DeadLetter).where(self._told(DeadLetter)))
            ],
            "kept_answers": [_answer(row) for row in keys],
        }

    def erase(self, session: Session) -> tuple[int, int]:
        """Delete them; return how many messages and how many answers that were."""
        messages = sum(
            len(session.scalars(delete(table).where(self._told(table)).returning(table.id)).all())
            for table in (OutboxMessage, DeadLetter)
        )
        answers = session.scalars(delete(IdempotencyKey).where(self._keys()).returning(IdempotencyKey.key)).all()
        return messages, len(answers)

    def _told(self, table: type[OutboxMessage | DeadLetter]) -> ColumnElement[bool]:
        by_order = (table.aggregate == "order") & table.aggregate_id.in_(self.orders)
        by_digest = table.payload["email_sha256"].astext == email_digest(self.email)
        return or_(by_order, by_digest, func.lower(table.payload["email"].astext) == self.email)

    def _keys(self) -> ColumnElement[bool]:
        # Answers to strangers, such as a registration, stand under nobody's name; what they say gives them away.
        said = (
            func.strpos(func.encode(IdempotencyKey.body, "escape"), word) > 0 for word in (self.email, *self.orders)
        )
        return or_(IdempotencyKey.owner.in_(self.owners), *said)


def _message(row: OutboxMessage | DeadLetter) -> dict[str, Any]:
    return {"topic": row.topic, "about": row.aggregate_id, "payload": row.payload, "created_at": row.created_at}


def _answer(row: IdempotencyKey) -> dict[str, Any]:
    body = row.body.decode(errors="replace") if row.body is not None else None
    return {"route": row.route, "status": row.status, "body": body, "created_at": row.created_at}
