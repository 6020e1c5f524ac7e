"""What one request cost, collected while it runs.

The database and the cache report to :func:`query_ran` and :func:`cache_answered`; neither knows who listens. The web
layer opens a record at the start of a request and reads it at the end, for ``Server-Timing``, ``Cache-Status`` and
the log line.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestRecord:
    """One request's cost so far. All times are in seconds."""

    started: float = field(default_factory=time.perf_counter)
    queries: int = 0
    query_s: float = 0.0
    retries: int = 0
    """Transactions that lost a race and were run again."""
    cache_s: float = 0.0
    cache: dict[str, str] = field(default_factory=dict)
    """Layer to its ``Cache-Status`` entry, the layer nearest to the origin first."""
    degraded: list[str] = field(default_factory=list)
    """What was left out or done without, by name."""

    @property
    def elapsed_s(self) -> float:
        """Return seconds since the request began."""
        return time.perf_counter() - self.started


_current: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)


def begin() -> RequestRecord:
    """Open the record of a new request in this context and return it."""
    record = RequestRecord()
    _current.set(record)
    return record


def without_record(work: Callable[[], object]) -> None:
    """Do work that belongs to no request: what it costs is booked to a record nobody reads."""
    _current.set(None)
    work()


def current() -> RequestRecord | None:
    """Return the record of the request being served, or ``None`` outside one."""
    return _current.get()


def record_query(seconds: float) -> None:
    """Count one database statement."""
    if (record := _current.get()) is not None:
        record.queries += 1
        record.query_s += seconds


def record_retry() -> None:
    """Count one transaction that is about to be run again."""
    if (record := _current.get()) is not None:
        record.retries += 1


def record_cache_lookup(layer: str, status: str, seconds: float) -> None:
    """Note one cache look-up: its ``Cache-Status`` entry (RFC 9211) and the seconds spent in the cache.

    A page is looked for first, and what it is made of while it is loaded; so the look-up that ends last speaks of the
    answer, and each layer has one entry.
    """
    if (record := _current.get()) is not None:
        record.cache.pop(layer, None)  # to the end: an outer look-up ends after all that it asked for
        record.cache[layer] = status
        record.cache_s += seconds


def add_cache_time(seconds: float) -> None:
    """Add seconds spent in a cache by what was no look-up of its own."""
    if (record := _current.get()) is not None:
        record.cache_s += seconds


def mark_uncacheable() -> None:
    """Note that no cache keeps the answer itself, whatever was looked up to make it."""
    if (record := _current.get()) is not None:
        record.cache.clear()


def mark_degraded(part: str) -> None:
    """Note that the answer does without ``part``."""
    if (record := _current.get()) is not None:
        record.degraded.append(part)
