"""The retries of simulated clients: the store's own retry module, on the side of the caller.

The lab's clients stand for one program in front of the store, such as an app server. Its calls share one budget, and it
is the only layer that retries: neither the edge nor the store repeats a request of a visitor.
"""

from collections.abc import Callable, Mapping

from shop.clock import SystemClock
from shop.lab.load import BudgetName, ClientRetries
from shop.patterns.resilience import (
    AdaptiveThrottle,
    AttemptBudget,
    BoundedRetry,
    CallRefused,
    NoBudget,
    RetryBudget,
    RetryQuota,
)

BUDGETS: Mapping[BudgetName, Callable[[], AttemptBudget]] = {
    "off": NoBudget,
    "share": RetryBudget,
    "quota": RetryQuota,
    "throttle": lambda: AdaptiveThrottle(SystemClock()),
}
"""By the value of ``retry.budget``."""


class StoreCallFailed(Exception):
    """An attempt had no answer in time, or was refused."""


class RetryingClient:
    """Repeats the calls of all simulated clients.

    Args:
        retries: attempts and budget.
        sleep: waits, in seconds.
    """

    def __init__(self, retries: ClientRetries, sleep: Callable[[float], None]) -> None:
        self._retry = BoundedRetry("store", retries.attempts, BUDGETS[retries.budget](), sleep=sleep)

    def call(self, attempt: Callable[[], bool]) -> bool:
        """Call until an attempt succeeds or the limits end the call.

        Args:
            attempt: makes one attempt; returns whether it succeeded.

        Returns:
            Whether an attempt succeeded; ``False`` as well if the budget refused the first one.
        """

        def work() -> None:
            if not attempt():
                raise StoreCallFailed

        try:
            self._retry.call(work, idempotent=True, is_retryable=lambda error: isinstance(error, StoreCallFailed))
        except (StoreCallFailed, CallRefused):
            return False
        return True
