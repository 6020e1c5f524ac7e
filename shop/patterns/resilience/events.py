"""What the mechanisms say about themselves. They do not know who listens: telemetry subscribes through one callable."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "failed", "refused", "dropped"]
"""``failed``: the other side did, or nobody knows. ``refused``: the breaker was open. ``dropped``: no time was left."""


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """One attempt of a call ended."""

    dependency: str
    outcome: Outcome
    seconds: float


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """An attempt failed, and there will be another."""

    dependency: str
    attempt: int
    """Which one failed, from 1."""
    wait_s: float


@dataclass(frozen=True, slots=True)
class NotRetried:
    """An attempt failed that another one might have mended, and there will be none."""

    dependency: str
    because: Literal["attempts", "budget", "deadline"]


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """A breaker went from one state to another."""

    dependency: str
    before: str
    after: str
    calls: int
    """How many calls it was judged by."""
    failure_rate: float
    slow_rate: float


Event = AttemptFinished | RetryScheduled | NotRetried | BreakerChanged
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
