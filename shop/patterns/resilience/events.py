"""The events of the mechanisms. A mechanism calls one function with each event, and does not know its subscriber."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "failed", "refused", "dropped"]
"""``failed``: the call failed, or its outcome is unknown. ``refused``: the breaker was open. ``dropped``: no time was
left."""


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """One attempt of a call ended."""

    dependency: str
    outcome: Outcome
    seconds: float


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """An attempt failed, and the call is retried."""

    dependency: str
    attempt: int
    """The number of the failed attempt, from 1."""
    wait_s: float


@dataclass(frozen=True, slots=True)
class NotRetried:
    """An attempt failed, a retry might have succeeded, and there is none."""

    dependency: str
    because: Literal["attempts", "budget", "deadline"]


@dataclass(frozen=True, slots=True)
class CallThrottled:
    """A call was refused before its first attempt, since the dependency has answered too few of the last ones."""

    dependency: str


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A breaker changed its state."""

    dependency: str
    before: str
    after: str
    calls: int
    """Number of calls that the rates were computed from."""
    failure_rate: float
    slow_rate: float


Event = AttemptFinished | RetryScheduled | NotRetried | CallThrottled | BreakerChanged
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing with an event."""
