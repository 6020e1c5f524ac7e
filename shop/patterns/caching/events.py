"""What the cache says about itself. It does not know who listens: telemetry subscribes through one callable.

A look-up is told of on every hit, so its record is a tuple: a frozen dataclass takes three times as long to make.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

Outcome = Literal["hit", "miss", "stale", "bypass"]
"""``miss``: nothing there. ``stale``: something was, and it had expired or been invalidated. ``bypass``: not asked,
because the level is switched off, away, or the policy stores nothing."""
Detail = Literal["", "negative", "early", "stale-while-loading", "stale-if-error"]
"""What is special about the answer: the thing is known to be absent, the entry was renewed before its end, or the value
is the last good one."""
Why = Literal["miss", "stale", "early", "ahead", "wait_timeout", "bypass"]
"""Why something was loaded. ``early``: about to expire. ``ahead``: the same, off the request path.
``wait_timeout``: the load of another request took too long."""


class LookupFinished(NamedTuple):
    """One look-up ended."""

    level: str
    policy: str
    outcome: Outcome
    ttl_s: int
    """Seconds the served entry has left, negative where it is stale; 0 where nothing was served from the cache."""
    stored: bool
    """Whether the freshly loaded value was put into the level."""
    seconds: float
    """Time spent in the cache, waiting for others included, an own load not."""
    away: bool = False
    """Whether a ``bypass`` was forced by a level that does not answer."""
    collapsed: bool = False
    """Whether somebody else's load was waited for instead of loading."""
    detail: Detail = ""


@dataclass(frozen=True, slots=True)
class LookedInVain:
    """A look that may not load found nothing to serve. It ends no look-up: whoever may load goes on from here."""

    level: str
    seconds: float


@dataclass(frozen=True, slots=True)
class LoadFinished:
    """A loader was run."""

    policy: str
    why: Why
    outcome: Literal["ok", "absent", "refused", "failed"]
    seconds: float


@dataclass(frozen=True, slots=True)
class FillAwaited:
    """Somebody waited for another's load."""

    policy: str
    on: Literal["thread", "process"]
    """Who was loading: a thread of this process, or another process."""
    seconds: float
    ended: Literal["filled", "in-vain", "gave-up"]
    """With a value; with a load that stored nothing, such as one that failed; or because the patience did."""


@dataclass(frozen=True, slots=True)
class EntryStored:
    """An entry was put into a level."""

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
class CameLate:
    """A value was not stored, since what it was made from was invalidated while it was loaded."""

    level: str
    policy: str


@dataclass(frozen=True, slots=True)
class LocalSize:
    """What a level of this process holds now, after a change."""

    level: str
    copies: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CopiesEvicted:
    """Copies made room for others."""

    level: str
    copies: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LockLost:
    """A lock ran out, or went away, while its holder was still loading: another may load beside it."""

    level: str


@dataclass(frozen=True, slots=True)
class RefreshDropped:
    """A key was due for a refresh off the request path, and too many others were."""

    policy: str


@dataclass(frozen=True, slots=True)
class RefillFailed:
    """A writer could not refill what it had changed; the next reader will."""

    reason: str


@dataclass(frozen=True, slots=True)
class TagsInvalidated:
    """Tags were invalidated."""

    level: str
    tags: int
    """How many."""
    delayed: bool
    """Whether the level was away, so that the invalidation is still owed to it."""


@dataclass(frozen=True, slots=True)
class NeverDelivered:
    """A process has ended that still owed invalidations: what carries the tags is served until its time is over."""

    level: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InvalidationUnheard:
    """Not every process said in time that it has heard an invalidation: some may serve what was before for a moment."""


@dataclass(frozen=True, slots=True)
class WrongType:
    """Something of another type stood under some of a level's keys, and was deleted."""

    level: str
    keys: int
    """How many."""


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


Event = (
    LookupFinished
    | LookedInVain
    | LoadFinished
    | FillAwaited
    | EntryStored
    | TooLarge
    | CameLate
    | LocalSize
    | CopiesEvicted
    | LockLost
    | RefreshDropped
    | RefillFailed
    | TagsInvalidated
    | NeverDelivered
    | InvalidationUnheard
    | WrongType
    | WentAway
    | CameBack
)
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
