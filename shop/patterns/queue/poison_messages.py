"""Poison messages: messages whose handling ends the process become dead letters.

Problem: a message that makes its process run out of memory, or makes a library crash, raises no exception. The message
is not acknowledged, so the broker delivers it to the next process, without end. The other messages of that process are
interrupted each time.
Method: before a process handles a delivery, it writes a row that names the process. The statement also deletes the row
of the thread's last delivery, whose outcome is committed: so a delivery costs one statement and not two. A delivery
that finds the row of another process follows a crash. The message goes back to the outbox with its own pause. So
several messages of one process come back one by one, and the harmless ones are handled. After several crashes a message
is a dead letter.
Source: Hohpe and Woolf, "Enterprise Integration Patterns" (2003), Dead Letter Channel and Invalid Message Channel;
RabbitMQ's documentation, "Quorum Queues: Poison Message Handling".
"""

import threading
import uuid

from sqlalchemy import ColumnElement, delete, text, update
from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.patterns.queue.failures import PermanentFailure
from shop.patterns.queue.models import BegunDelivery

CRASHES = 3
"""Number of crashes after which a message is poison; a worker that was killed during the handling counts as one."""

_BEGIN = text("""
WITH ended AS (DELETE FROM begun_deliveries WHERE consumer = :ended_consumer AND message_id = :ended_message_id),
     before AS (SELECT holder FROM begun_deliveries WHERE consumer = :consumer AND message_id = :message_id),
     unsynced AS (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO begun_deliveries AS begun (consumer, message_id, holder)
SELECT :consumer, :message_id, :holder FROM unsynced
ON CONFLICT (consumer, message_id) DO UPDATE
   SET holder = excluded.holder, begun_at = clock_timestamp(),
       crashes = begun.crashes + CASE WHEN begun.holder <> excluded.holder THEN 1 ELSE 0 END
RETURNING CASE WHEN (SELECT holder FROM before) <> :holder THEN crashes ELSE 0 END
""")
"""The COMMIT does not wait for the disk: a crash of PostgreSQL itself loses one count."""

_DeliveryKey = tuple[str, uuid.UUID] | tuple[None, None]
_NO_DELIVERY: _DeliveryKey = (None, None)


class _ThreadState(threading.local):
    """Keeps for each thread the last delivery that it has handled, while its record still exists."""

    ended: _DeliveryKey = _NO_DELIVERY


class DeliveryInterrupted(Exception):
    """The process that handled the message before has ended, or has lost its connection to the broker."""


class PoisonMessage(PermanentFailure):
    """Several processes have ended while they handled the message."""


class CrashCounter:
    """Records the messages that this process handles, and counts the crashes of each message.

    Args:
        database: stores the records.
        crashes: number of crashes after which a message is poison.
    """

    def __init__(self, database: Database, crashes: int = CRASHES) -> None:
        self._statements = database.autocommit()  # each is one statement, which needs no BEGIN
        self._crashes = crashes
        self._holder = uuid.uuid4()
        self._thread = _ThreadState()

    def begin(self, consumer: str, message_id: uuid.UUID) -> None:
        """Record that this process is about to handle a message, and delete the record of its thread's last message.

        Raises:
            DeliveryInterrupted: the last delivery ended in a crash; this one must be retried later.
            PoisonMessage: several deliveries ended in a crash.
            ServiceUnavailable: the database cannot store the record.
        """
        ended = self._thread.ended
        if ended == (consumer, message_id):  # one statement cannot both delete and write a row
            ended = _NO_DELIVERY
        values: dict[str, object] = {"consumer": consumer, "message_id": message_id, "holder": self._holder}
        values |= {"ended_consumer": ended[0], "ended_message_id": ended[1]}
        with self._statements.transaction() as session:
            crashes = session.scalar(_BEGIN, values) or 0
        self._thread.ended = _NO_DELIVERY
        if crashes >= self._crashes:
            raise PoisonMessage(f"{crashes} processes ended while they handled it")
        if crashes:
            raise DeliveryInterrupted(f"its process ended while it was handled ({crashes} of {self._crashes} times)")

    def end(self, consumer: str, message_id: uuid.UUID) -> None:
        """Let this thread's next :meth:`begin` delete the record of a handled message.

        The record of a thread's last message stays until the reaper deletes it. If another process receives a duplicate
        of that message, the duplicate counts as one crash and is retried after a pause.
        """
        self._thread.ended = (consumer, message_id)


def clear_holder(session: Session, consumer: str, message_id: uuid.UUID) -> None:
    """Record that no process handles a message; its number of crashes stays."""
    session.execute(update(BegunDelivery).where(*_is_record_of(consumer, message_id)).values(holder=None))


def delete_record(session: Session, consumer: str, message_id: uuid.UUID) -> None:
    """Delete the record of a message whose outcome is final."""
    session.execute(delete(BegunDelivery).where(*_is_record_of(consumer, message_id)))


def _is_record_of(consumer: str, message_id: uuid.UUID) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return BegunDelivery.consumer == consumer, BegunDelivery.message_id == message_id
