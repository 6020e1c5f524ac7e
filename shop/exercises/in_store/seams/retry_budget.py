"""Exercise ``retry-budget``: repeats the calls to the payments provider."""

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.interfaces.retry_budget import RetryLimits
from shop.patterns.resilience import RetryStrategy, deadlines


class AttemptRetry:
    """The attempt in the form of a :class:`RetryStrategy`.

    Args:
        attempt: the reader's code.
        retried: what it returned.
        own: the store's own retries.
    """

    def __init__(self, attempt: LoadedAttempt, retried: Any, own: RetryStrategy) -> None:
        self._attempt = attempt
        self._retried = retried
        self._own = own

    def call(self, work: Callable[[], Any], *, idempotent: bool, is_retryable: Callable[[Exception], bool]) -> Any:
        """Make the call. If the attempt fails, the store calls once more: each call may be repeated."""
        rules: dict[str, Any] = {"idempotent": idempotent, "is_retryable": is_retryable}
        function = partial(self._retried.call, self._attempt.wrap_store(work), **rules)
        otherwise = partial(self._own.call, work, **rules)
        return self._attempt.call(f"client.call(work, idempotent={idempotent})", function, (), otherwise)


def adapt(attempt: LoadedAttempt, default: RetryStrategy) -> RetryStrategy:
    """Return the attempt's retries, one a process: the budget is shared by all calls."""
    sleep = attempt.wrap_store(time.sleep)
    arguments = (RetryLimits(), deadlines.remaining, random.uniform, sleep)
    text = f"{attempt.place.slot.defines}(RetryLimits(), remaining_s, uniform, sleep)"
    retried = attempt.once("retries", lambda: attempt.make(text, arguments, lambda: None))
    return default if retried is None else AttemptRetry(attempt, retried, default)
