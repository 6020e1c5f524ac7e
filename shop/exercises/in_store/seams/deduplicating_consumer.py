"""Exercise ``deduplicating-consumer``: does the work of a message once."""

from collections.abc import Callable
from functools import partial
from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.short_text import shorten


def adapt(attempt: LoadedAttempt, default: type[Any]) -> type[Any]:
    """Return an inbox that asks the attempt; after a failure, the message is delivered again later."""

    class AttemptInbox(default):  # type: ignore[misc]  # the class is chosen at run time
        def process_once(self, message: Any, work: Callable[[Any], None]) -> bool:
            arguments = (self._database, self._consumer, message.message_id, attempt.wrap_store(work))
            is_done: bool = attempt.call(
                f"{attempt.place.slot.defines}(database, {self._consumer!r}, message_id, work)",
                attempt.defined,
                arguments,
                partial(default.process_once, self, message, work),
                _fault,
                after_failure=attempt.refuse,
            )
            return is_done

    return AttemptInbox


def _fault(value: Any) -> str:
    return "" if isinstance(value, bool) else f"{shorten(value)}, which is neither True nor False."
