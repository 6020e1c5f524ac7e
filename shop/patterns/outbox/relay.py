"""The outbox relay: reads messages from the outbox and publishes them to the queue.

The relay does not call the broker inside a transaction, so it holds no row lock while it publishes. It claims rows for
a few seconds in one short transaction, publishes them, and deletes them in another transaction. A relay can claim only
the first message of an aggregate. The next message waits until the first is published and deleted, so the order within
an aggregate holds with any number of relays. A relay that dies or hangs loses its claim, and another relay publishes
the messages again. So each message is delivered at least once, and the consumer recognises a second delivery.

The relay polls the table every 50 ms, less often in quiet times. docs/explanation/messages.md compares this
with LISTEN/NOTIFY: a NOTIFY takes one lock of the whole server at each commit, and checkouts would wait for that lock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from shop.database.transactions import Database, refuse_in_transaction
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.outbox.models import OutboxMessage

BATCH = 100
CLAIM = timedelta(seconds=10)
"""A batch whose calls all take their timeout is shorter. The messages of a dead relay wait this long."""

_CLAIM = text("""
UPDATE outbox SET claimed_until = clock_timestamp() + :lease
 WHERE id IN (
    SELECT waiting.id FROM outbox AS waiting
     WHERE waiting.due_at <= clock_timestamp()
       AND (waiting.claimed_until IS NULL OR waiting.claimed_until < clock_timestamp())
       AND NOT EXISTS (
           SELECT FROM outbox AS earlier
            WHERE (earlier.aggregate, earlier.aggregate_id) = (waiting.aggregate, waiting.aggregate_id)
              AND earlier.id < waiting.id AND earlier.attempts = 0)
     ORDER BY waiting.id LIMIT :batch
       FOR UPDATE OF waiting SKIP LOCKED)
RETURNING id, message_id, aggregate, aggregate_id, topic, payload, created_at, attempts, request_id, traceparent,
          consumer
""")
"""A message that is retried has left the order of its aggregate: no other message waits for it."""


class BrokerUnavailable(Exception):
    """The broker could not be reached, or did not confirm the message."""


@dataclass(frozen=True, slots=True)
class OutboxBacklog:
    """The messages in the outbox."""

    waiting: int
    """Number of messages that are not published yet, including those to be retried later."""
    oldest_s: float
    """Seconds since the oldest due message became due; 0 if no message is due."""


class OutboxRelay:
    """Publishes the messages of the outbox in rounds; several processes may run a round at once.

    Args:
        database: has the outbox.
        publish: sends a message to all its consumers, and returns when the broker has confirmed it; raises
            :class:`BrokerUnavailable`.
        free_capacity: returns how many more messages the queue may hold; raises :class:`BrokerUnavailable`.
    """

    def __init__(
        self, database: Database, publish: Callable[[QueueMessage], None], free_capacity: Callable[[], int]
    ) -> None:
        self._database = database
        self._publish = publish
        self._free_capacity = free_capacity
        self._is_blocked = False
        """Whether the last round ended at a full queue or a dead broker: then the relay waits for room before a
        claim."""

    def run_once(self) -> int:
        """Publish all messages, or until the queue is full; return the number of published messages.

        Raises:
            BrokerUnavailable: the messages that were not published stay in the outbox.
        """
        total = 0
        while not self._is_blocked or self._free_capacity() > 0:
            claimed = self._database.run_in_transaction(claim_messages)
            if not claimed:
                break
            self._is_blocked = True  # it stays so if the broker is down
            count = self._publish_claimed(claimed)
            self._is_blocked = count < len(claimed)
            total += count
            if self._is_blocked:
                break  # the queue is full: the other messages wait in the database
        return total

    def _publish_claimed(self, claimed: Sequence[tuple[int, QueueMessage]]) -> int:
        refuse_in_transaction("the broker")
        published: list[int] = []

        def finish(session: Session) -> None:
            if published:
                session.execute(delete(OutboxMessage).where(OutboxMessage.id.in_(published)))
            if unpublished := [row_id for row_id, _ in claimed[len(published) :]]:
                rows = update(OutboxMessage).where(OutboxMessage.id.in_(unpublished))
                session.execute(rows.values(claimed_until=None))

        try:
            for row_id, message in claimed[: max(0, self._free_capacity())]:
                self._publish(message)
                published.append(row_id)
        finally:
            self._database.run_in_transaction(finish)
        return len(published)


def backlog(session: Session) -> OutboxBacklog:
    """Return the size and the age of the outbox."""
    due = func.clock_timestamp() - func.min(OutboxMessage.due_at)
    waiting, oldest = session.execute(select(func.count(), func.extract("epoch", due)).select_from(OutboxMessage)).one()
    return OutboxBacklog(waiting, max(0.0, float(oldest or 0)))


def claim_messages(session: Session) -> list[tuple[int, QueueMessage]]:
    """Claim the next messages; return them with the ids of their rows, in the order of the ids."""
    rows = session.execute(_CLAIM, {"lease": CLAIM, "batch": BATCH}).all()
    return [(row_id, QueueMessage(*columns)) for row_id, *columns in sorted(rows, key=lambda row: row.id)]
