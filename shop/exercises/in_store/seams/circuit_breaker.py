"""Exercise ``circuit-breaker``: decides whether a call to the payments provider is made."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.interfaces.circuit_breaker import BreakerLimits
from shop.patterns.resilience import CircuitOpen, DependencyBreaker

IsFailure = Callable[[Exception], bool | None]


class AttemptBreaker:
    """The attempt in the form of a :class:`DependencyBreaker`.

    Args:
        attempt: the reader's code.
        guarded: what it returned.
        own: the store's own breaker.
    """

    def __init__(self, attempt: LoadedAttempt, guarded: Any, own: DependencyBreaker) -> None:
        self._attempt = attempt
        self._guarded = guarded
        self._own = own

    def call(self, work: Callable[[], Any], is_failure: IsFailure) -> Any:
        """Make the call, or refuse it. If the attempt fails, the store calls once more: each call may be repeated."""
        otherwise = partial(self._own.call, work, is_failure)
        arguments = (self._attempt.wrap_store(work), is_failure)
        text = "breaker.call(work, is_failure)"
        return self._attempt.call(text, self._guarded.call, arguments, otherwise, passes=(CircuitOpen,))


def adapt(attempt: LoadedAttempt, default: DependencyBreaker) -> DependencyBreaker:
    """Return the attempt's breaker, one a process."""
    text = f"{attempt.place.slot.defines}(BreakerLimits(), time.monotonic)"
    arguments = (BreakerLimits(), time.monotonic)
    guarded = attempt.once("breaker", lambda: attempt.make(text, arguments, lambda: None))
    return default if guarded is None else AttemptBreaker(attempt, guarded, default)
