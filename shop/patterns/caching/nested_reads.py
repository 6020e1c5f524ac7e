"""What a load reads through the same cache, so that its value ends with the values that it was made from.

Problem: a page is made from a screen that is five minutes old, and is then fresh for five minutes of its own: the ages
add up. If the screen is stale because the database fails, the page shows it as fresh long after the outage.
Method: while a load runs, each look-up within it notes the end of the entry that it serves. The loaded value ends with
the first of them. If one of them is stale, the loaded value is served as stale, and not stored. A load renews an entry
that is in the last part of its life before it uses it; so a short rest of life is not handed on, and the end of a menu
that every page shows does not end all pages at once.
Source: RFC 9111, 4.2.3: a cache passes on the age of a response, and each cache on the way adds to it.
"""

from contextvars import ContextVar, Token
from dataclasses import dataclass
from math import inf

from shop.patterns.caching.entry import CacheEntry
from shop.patterns.caching.events import Detail

RENEWAL_SHARE = 0.2
"""The last part of an entry's life, in which a load renews it. Equal classes differ by less: a fifth is the whole width
of the jitter, so a page that ends just before its screen renews both with one load each."""


@dataclass(slots=True)
class NestedReads:
    """What one load has read through the cache so far."""

    fresh_until: float = inf
    """The end of the fresh time of the entry that ends first, unix time in seconds."""
    detail: Detail = ""
    """Why a stale entry was served; empty while all were fresh."""

    def add(self, entry: CacheEntry, detail: Detail) -> None:
        """Note an entry that was served; a failed load outweighs a load in progress."""
        self.fresh_until = min(self.fresh_until, entry.fresh_until)
        if detail.startswith("stale") and self.detail != "stale-if-error":
            self.detail = detail


_current: ContextVar[NestedReads | None] = ContextVar("nested_reads", default=None)
"""Of the load that the caller is part of."""


def begin() -> tuple[NestedReads, Token[NestedReads | None]]:
    """Begin to note the reads of a load; return the notes, and the token for :func:`end`."""
    nested = NestedReads()
    return nested, _current.set(nested)


def end(token: Token[NestedReads | None]) -> None:
    """End a load; the caller is part of the enclosing load again, if there is one."""
    _current.reset(token)


def is_loading() -> bool:
    """Return whether the caller is part of a load, so that its reads become part of a stored value."""
    return _current.get() is not None


def record(entry: CacheEntry, detail: Detail = "") -> None:
    """Note an entry that is served to a load, if the caller is part of one."""
    if (nested := _current.get()) is not None:
        nested.add(entry, detail)
