"""What the cache says about itself. It does not know who listens: telemetry subscribes through one callable."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["hit", "miss", "stale", "bypass"]
"""``miss``: nothing there. ``stale``: something was, and it had expired or been invalidated. ``bypass``: not asked,
because the level is switched off, away, or the policy stores nothing."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One look-up ended."""

    level: str
    policy: str
    outcome: Outcome
    ttl_s: int
    """Seconds the served entry has left; 0 where nothing was served from the cache."""
    stored: bool
    """Whether the freshly loaded value was put into the level."""
    seconds: float
    """Time spent in the cache, the load not included."""
    away: bool = False
    """Whether a ``bypass`` was forced by a level that does not answer."""


@dataclass(frozen=True, slots=True)
class Invalidated:
    """Tags were invalidated."""

    level: str
    tags: int
    """How many."""
    delayed: bool
    """Whether the level was away, so that the invalidation is still owed to it."""


@dataclass(frozen=True, slots=True)
class WentAway:
    """A level stopped answering; it is left alone for a while."""

    level: str
    reason: str
    pause_s: float


@dataclass(frozen=True, slots=True)
class CameBack:
    """A level answers again."""

    level: str


Event = Answered | Invalidated | WentAway | CameBack
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
