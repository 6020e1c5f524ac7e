"""Exercise ``outbox-relay``: publishes the messages of the outbox, in rounds."""

from collections.abc import Callable
from typing import Any

from shop.exercises.in_store.call_watchdog import AttemptMisuse
from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.short_text import shorten
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.outbox.relay import OutboxRelay


class AttemptRelay:
    """The attempt in the form of an :class:`OutboxRelay`.

    Args:
        attempt: the reader's code.
        own: the store's own relay; it takes over while the queue is full, and after a failure.
        database: has the outbox.
        publish: sends a message.
        free_capacity: returns how many more messages the queue may hold.
    """

    def __init__(
        self,
        attempt: LoadedAttempt,
        own: OutboxRelay,
        database: Any,
        publish: Callable[[QueueMessage], None],
        free_capacity: Callable[[], int],
    ) -> None:
        self._attempt = attempt
        self._own = own
        self._database = database
        self._publish = publish
        self._free_capacity = free_capacity

    def run_once(self) -> int:
        """Publish what is due; return the number of published messages."""
        if self._free_capacity() <= 0:
            return self._own.run_once()
        arguments = (self._database, self._attempt.wrap_store(self._publish_row))
        text = f"{self._attempt.place.slot.defines}(database, publish)"
        count: int = self._attempt.call(text, self._attempt.defined, arguments, self._own.run_once, _fault)
        return count

    def _publish_row(self, row: Any) -> None:
        fields = QueueMessage.__dataclass_fields__
        if missing := [name for name in fields if not hasattr(row, name)]:
            raise AttemptMisuse(f"publish() takes a row of the outbox; {shorten(row)} has no {missing[0]}")
        self._publish(QueueMessage(**{name: getattr(row, name) for name in fields}))


def adapt(attempt: LoadedAttempt, default: OutboxRelay, **tools: Any) -> Any:
    """Return a relay that asks the attempt."""
    return AttemptRelay(attempt, default, tools["database"], tools["publish"], tools["free_capacity"])


def _fault(value: Any) -> str:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return "" if is_count else f"{shorten(value)}, which is no number of messages."
