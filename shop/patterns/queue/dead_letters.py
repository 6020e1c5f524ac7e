"""Messages whose handling ends the process: counted before they are handled, for afterwards nobody is left to count.

Problem: a message that makes its process run out of memory, or a library crash, raises nothing. It is not
acknowledged, so the broker delivers it again, to the next process, without end; and what lay beside it dies with it.
Method: before a delivery is handled, one row says which process has it in hand; the row goes when the outcome is
committed. A delivery that finds the row of another process follows a crash. It is not handled at once: it goes back to
the outbox with a pause of its own, so that of several messages that were in hand together each comes back alone, and
the innocent ones are handled. After some crashes it is a dead letter.
Source: Hohpe and Woolf, "Enterprise Integration Patterns" (2003), Dead Letter Channel and Invalid Message Channel;
RabbitMQ's documentation, "Quorum Queues: Poison Message Handling".
"""

import uuid

from sqlalchemy import ColumnElement, delete, text, update
from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.patterns.queue.failures import PermanentFailure
from shop.patterns.queue.models import BegunDelivery

CRASHES = 3
"""Processes a message may take with it; a worker that was stopped hard in the middle of it counts as one."""

_BEGIN = text("""
WITH before AS (SELECT holder FROM begun_deliveries WHERE consumer = :consumer AND message_id = :message_id),
     unsynced AS (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO begun_deliveries AS begun (consumer, message_id, holder)
SELECT :consumer, :message_id, :holder FROM unsynced
ON CONFLICT (consumer, message_id) DO UPDATE
   SET holder = excluded.holder, begun_at = clock_timestamp(),
       crashes = begun.crashes + CASE WHEN begun.holder <> excluded.holder THEN 1 ELSE 0 END
RETURNING CASE WHEN (SELECT holder FROM before) <> :holder THEN crashes ELSE 0 END
""")
"""The COMMIT waits for no disk: what a crash of PostgreSQL itself loses here is one count."""


class DeliveryInterrupted(Exception):
    """The process that had the message before has ended, or has lost the broker, in the middle of it."""


class PoisonMessage(PermanentFailure):
    """Several processes have ended while they had the message."""


class CrashCounter:
    """Knows which messages this process has in hand, and how many processes each has ended.

    Args:
        database: where that is written down.
        crashes: after so many a message is poison.
    """

    def __init__(self, database: Database, crashes: int = CRASHES) -> None:
        self._statements = database.autocommit()  # one statement each, which is atomic without a BEGIN of its own
        self._crashes = crashes
        self._holder = uuid.uuid4()

    def begin(self, consumer: str, message_id: uuid.UUID) -> None:
        """Note that this process is about to handle a message.

        Raises:
            DeliveryInterrupted: the delivery before ended in a crash; this one is to be put off.
            PoisonMessage: so did several.
            ServiceUnavailable: it could not be noted.
        """
        values = {"consumer": consumer, "message_id": message_id, "holder": self._holder}
        with self._statements.transaction() as session:
            crashes = session.scalar(_BEGIN, values) or 0
        if crashes >= self._crashes:
            raise PoisonMessage(f"{crashes} processes ended while they handled it")
        if crashes:
            raise DeliveryInterrupted(f"its process ended while it was handled ({crashes} of {self._crashes} times)")

    def end(self, consumer: str, message_id: uuid.UUID) -> None:
        """Forget a message that was handled.

        Raises:
            ServiceUnavailable: it could not be noted; a second delivery would count as one that follows a crash.
        """
        with self._statements.transaction() as session:
            forget(session, consumer, message_id)


def put_off(session: Session, consumer: str, message_id: uuid.UUID) -> None:
    """Note that no process has a message in hand; how many it has ended is remembered."""
    session.execute(update(BegunDelivery).where(*_of(consumer, message_id)).values(holder=None))


def forget(session: Session, consumer: str, message_id: uuid.UUID) -> None:
    """Forget a message whose outcome is final."""
    session.execute(delete(BegunDelivery).where(*_of(consumer, message_id)))


def _of(consumer: str, message_id: uuid.UUID) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return BegunDelivery.consumer == consumer, BegunDelivery.message_id == message_id
