"""The idempotent receiver: a consumer records a handled message in the transaction of its work."""

import uuid
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import delete, func, text
from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.queue.models import BegunDelivery, HandledMessage

RECORDS_KEPT = timedelta(days=7)
"""For how long a second delivery is recognised. A message stays in a broker for a shorter time."""

# Every message executes both, so they are plain SQL: through the ORM each would cost half as much processor time again.
_FIND = text("SELECT 1 FROM handled_messages WHERE consumer = :consumer AND message_id = :message_id")
_RECORD = text("""
INSERT INTO handled_messages (consumer, message_id) VALUES (:consumer, :message_id)
ON CONFLICT DO NOTHING RETURNING 1
""")


class ConsumerInbox:
    """The handled messages of one consumer.

    Args:
        database: stores the records.
        consumer: the consumer's name.
    """

    def __init__(self, database: Database, consumer: str) -> None:
        self._database = database
        self._consumer = consumer

    def has_handled(self, message_id: uuid.UUID) -> bool:
        """Return whether a message was handled before; for work that must be done outside a transaction."""
        with self._database.reading() as session:
            return session.scalar(_FIND, self._record(message_id)) is not None

    def process_once(self, message: QueueMessage, work: Callable[[Session], None]) -> bool:
        """Do the work and record the message in one transaction.

        A second delivery at the same time waits at the primary key, and then finds the record.

        Args:
            message: the message.
            work: handles it, with the given session only.

        Returns:
            Whether the work was done now; ``False`` if it was done before.
        """

        def record_and_work(session: Session) -> bool:
            if session.scalar(_RECORD, self._record(message.message_id)) is None:
                return False
            work(session)
            return True

        return self._database.run_in_transaction(record_and_work)

    def _record(self, message_id: uuid.UUID) -> dict[str, object]:
        return {"consumer": self._consumer, "message_id": message_id}


class InboxReaper:
    """Deletes old records of handled messages and begun deliveries; several processes may do it at once.

    Args:
        database: stores the records.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def run_once(self) -> int:
        """Delete the old records; return the number of handled messages among them."""
        limit = func.clock_timestamp() - RECORDS_KEPT
        handled = delete(HandledMessage).where(HandledMessage.handled_at < limit)
        begun = delete(BegunDelivery).where(BegunDelivery.begun_at < limit)
        with self._database.transaction() as session:
            session.execute(begun)
            return len(session.scalars(handled.returning(HandledMessage.consumer)).all())
