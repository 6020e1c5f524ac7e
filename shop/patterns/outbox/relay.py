"""The relay: takes messages from the outbox and hands them to the queue.

The broker is not called inside a transaction, so a relay does not hold row locks while it publishes: it claims rows for
a few seconds in one short transaction, publishes, and deletes them in another. Only the first message of an aggregate
can be claimed, so the next one waits until that is published and gone, whichever relay has it: order for each
aggregate, with any number of relays. A relay that dies or stalls loses its claim, and another publishes again what may
have been published: at least once. The late one then comes second, and its consumer finds it handled.

The table is asked again every 50 ms, less often in quiet times. Measured against being woken by LISTEN/NOTIFY: see
docs/patterns/outbox.md; a NOTIFY takes one lock for the whole server at every commit, and checkouts would queue there.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from shop.database.transactions import Database, refuse_in_transaction
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.outbox.models import OutboxMessage

BATCH = 100
CLAIM = timedelta(seconds=10)
"""Longer than a batch takes with every call at its bound; a relay that dies holds its messages up for this long."""

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
"""A message that is tried again has left the line: it waits for its time, and nothing waits for it."""


class BrokerUnavailable(Exception):
    """The broker could not be reached, or did not confirm that it has the message."""


@dataclass(frozen=True, slots=True)
class OutboxBacklog:
    """What waits in the outbox."""

    waiting: int
    """Messages not handed on yet, those that are tried again later among them."""
    oldest_s: float
    """Seconds the one that has been due the longest has been due; 0 where none is."""


class OutboxRelay:
    """A loop's body; safe to run in several processes at once.

    Args:
        database: where the outbox is.
        publish: sends a message to all its consumers, and returns when the broker has it; raises
            :class:`BrokerUnavailable`.
        room: returns how many more messages the queue may hold; raises :class:`BrokerUnavailable`.
    """

    def __init__(self, database: Database, publish: Callable[[QueueMessage], None], room: Callable[[], int]) -> None:
        self._database = database
        self._publish = publish
        self._room = room
        self._held_back = False
        """Whether the last round ended at the queue: then it is asked first, and no row is touched in vain."""

    def run_once(self) -> int:
        """Hand on what waits, until nothing does or the queue is full; return how many messages that were.

        Raises:
            BrokerUnavailable: what was not handed on waits on.
        """
        total = 0
        while not self._held_back or self._room() > 0:
            claimed = self._database.run_in_transaction(_claim)
            if not claimed:
                break
            self._held_back = True  # stays so if the broker turns out to be away
            done = self._hand_on(claimed)
            self._held_back = done < len(claimed)
            total += done
            if self._held_back:
                break  # the queue is full: what it has no room for waits where there is room, in the database
        return total

    def _hand_on(self, claimed: Sequence[tuple[int, QueueMessage]]) -> int:
        refuse_in_transaction("the broker")
        done: list[int] = []
        try:
            room = self._room()
            for row_id, message in claimed[: max(0, room)]:
                self._publish(message)
                done.append(row_id)
        finally:
            left = [row_id for row_id, _ in claimed[len(done) :]]
            self._database.run_in_transaction(lambda session: _finish(session, done, left))
        return len(done)


def backlog(session: Session) -> OutboxBacklog:
    """Return what waits."""
    due = func.clock_timestamp() - func.min(OutboxMessage.due_at)
    waiting, oldest = session.execute(select(func.count(), func.extract("epoch", due)).select_from(OutboxMessage)).one()
    return OutboxBacklog(waiting, max(0.0, float(oldest or 0)))


def _claim(session: Session) -> list[tuple[int, QueueMessage]]:
    rows = session.execute(_CLAIM, {"lease": CLAIM, "batch": BATCH}).mappings().all()
    return [(row["id"], _message(row)) for row in sorted(rows, key=lambda row: row["id"])]


def _message(row: Mapping[Any, Any]) -> QueueMessage:
    return QueueMessage(**{name: value for name, value in row.items() if name != "id"})


def _finish(session: Session, done: Collection[int], left: Collection[int]) -> None:
    if done:
        session.execute(delete(OutboxMessage).where(OutboxMessage.id.in_(done)))
    if left:
        session.execute(update(OutboxMessage).where(OutboxMessage.id.in_(left)).values(claimed_until=None))
