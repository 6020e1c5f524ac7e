"""The events of the cache. The cache does not know its subscribers: it calls one function with each event.

Every hit emits a ``LookupFinished``, so that is a tuple: a frozen dataclass takes three times as long to make.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Outcome = Literal["hit", "miss", "stale", "bypass"]
"""``miss``: no entry. ``stale``: the entry had expired or was invalidated. ``bypass``: the level was not read, because
it is switched off or down, or the policy stores nothing."""
Detail = Literal["", "negative", "early", "stale-while-loading", "stale-if-error"]
"""``negative``: the thing is known not to exist. ``early``: the entry was renewed before its expiry. The other two: the
value is the last good one."""
LoadReason = Literal["miss", "stale", "early", "ahead", "wait_timeout", "bypass"]
"""Why a value was loaded. ``early``: about to expire. ``ahead``: the same, off the request path. ``wait_timeout``:
another thread or process was loading, and took too long."""


class LookupFinished(NamedTuple):
    """One look-up in one level ended."""

    level: str
    policy: str
    outcome: Outcome
    ttl_s: int
    """Seconds the served entry has left, negative if it is stale; 0 if the value is not from the cache."""
    stored: bool
    """Whether the loaded value was stored in the level."""
    seconds: float
    """Time spent in the cache; it includes waiting for another's load, but not the look-up's own load."""
    level_down: bool = False
    """Whether a level that is down was the reason for a ``bypass``."""
    collapsed: bool = False
    """Whether the look-up shared another's load instead of loading."""
    detail: Detail = ""


@dataclass(frozen=True, slots=True)
class PeekMissed:
    """``peek`` found nothing to serve. The request continues with a normal look-up."""

    level: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LoadFinished:
    """A loader ended."""

    policy: str
    why: LoadReason
    outcome: Literal["ok", "absent", "refused", "failed"]
    seconds: float


@dataclass(frozen=True, slots=True)
class FillAwaited:
    """A look-up waited for another's load."""

    policy: str
    on: Literal["thread", "process"]
    """The loader: a thread of this process, or another process."""
    seconds: float
    ended: Literal["filled", "in-vain", "gave-up"]
    """With a value; with a load that stored nothing, such as a failed one; or after the longest wait."""


@dataclass(frozen=True, slots=True)
class EntryStored:
    """An entry was stored in a level."""

    level: str
    policy: str
    bytes: int


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A value was not stored because of its size."""

    level: str
    policy: str
    bytes: int


@dataclass(frozen=True, slots=True)
class StaleFillRejected:
    """A value was not stored, because one of its tags was invalidated while it was loaded."""

    level: str
    policy: str


@dataclass(frozen=True, slots=True)
class LocalSize:
    """The size of a local level after a change."""

    level: str
    copies: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CopiesEvicted:
    """Copies were evicted to make room for others."""

    level: str
    copies: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LockLost:
    """A lock expired or vanished while its holder was still loading: another process may load beside it."""

    level: str


@dataclass(frozen=True, slots=True)
class RefreshDropped:
    """A key was due for a refresh off the request path, and the queue was full."""

    policy: str


@dataclass(frozen=True, slots=True)
class RefillFailed:
    """A writer could not refill an entry that it had changed; the next reader loads it."""

    reason: str


@dataclass(frozen=True, slots=True)
class TagsInvalidated:
    """Tags were invalidated."""

    level: str
    tags: int
    """How many."""
    delayed: bool
    """Whether the level was down, so that the invalidation is still pending."""


@dataclass(frozen=True, slots=True)
class InvalidationsUndelivered:
    """A process stopped with pending invalidations: entries with these tags are served until they expire."""

    level: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InvalidationUnheard:
    """Not every process confirmed an invalidation in time: some may serve the old value for a moment."""


@dataclass(frozen=True, slots=True)
class WrongType:
    """Some of a level's keys held a value of another type, and were deleted."""

    level: str
    keys: int
    """How many."""


@dataclass(frozen=True, slots=True)
class LevelDown:
    """A level stopped answering; there are no calls to it during the pause."""

    level: str
    reason: str
    pause_s: float


@dataclass(frozen=True, slots=True)
class LevelUp:
    """A level is available again."""

    level: str


Event = (
    LookupFinished
    | PeekMissed
    | LoadFinished
    | FillAwaited
    | EntryStored
    | TooLarge
    | StaleFillRejected
    | LocalSize
    | CopiesEvicted
    | LockLost
    | RefreshDropped
    | RefillFailed
    | TagsInvalidated
    | InvalidationsUndelivered
    | InvalidationUnheard
    | WrongType
    | LevelDown
    | LevelUp
)
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing with an event."""
