"""The idempotent receiver: what was handled is written down in the transaction of the work."""

import uuid
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.queue.models import BegunDelivery, HandledMessage

KEPT = timedelta(days=7)
"""How long a second delivery is recognised: longer than anything can lie about in a broker."""


class ConsumerInbox:
    """What one consumer has handled.

    Args:
        database: where that is written down.
        consumer: its name.
    """

    def __init__(self, database: Database, consumer: str) -> None:
        self._database = database
        self._consumer = consumer

    def has_handled(self, message_id: uuid.UUID) -> bool:
        """Tell whether a message was handled before; for work that must be done outside the transaction."""
        with self._database.reading() as session:
            found = select(HandledMessage.consumer).where(
                HandledMessage.consumer == self._consumer, HandledMessage.message_id == message_id
            )
            return session.scalar(found) is not None

    def process_once(self, message: QueueMessage, work: Callable[[Session], None]) -> bool:
        """Do work in one transaction with the note that it is done.

        A second delivery at the same moment waits at the primary key, and then finds the note.

        Args:
            message: what the work is about.
            work: does everything through the session it is given.

        Returns:
            Whether it was done now; false where it was done before.
        """
        return self._database.run_in_transaction(lambda session: self._once(session, message.message_id, work))

    def _once(self, session: Session, message_id: uuid.UUID, work: Callable[[Session], None]) -> bool:
        noted = session.execute(
            insert(HandledMessage)
            .values(consumer=self._consumer, message_id=message_id)
            .on_conflict_do_nothing()
            .returning(HandledMessage.consumer)
        ).one_or_none()
        if noted is None:
            return False
        work(session)
        return True


class InboxReaper:
    """A loop's body: forgets what was handled, or begun, long ago. Safe to run twice at once.

    Args:
        database: where it is written down.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def run_once(self) -> int:
        """Forget; return how many notes that were."""
        long_ago = func.clock_timestamp() - KEPT
        handled = delete(HandledMessage).where(HandledMessage.handled_at < long_ago)
        begun = delete(BegunDelivery).where(BegunDelivery.begun_at < long_ago)
        with self._database.transaction() as session:
            session.execute(begun)
            return len(session.scalars(handled.returning(HandledMessage.consumer)).all())
