"""The request record: the cost of one request, collected while it runs.

The database calls :func:`record_query` and the cache :func:`record_cache_lookup`; they do not know the web layer. The
web layer opens a record at the start of a request and reads it at the end, for ``Server-Timing``, ``Cache-Status`` and
the access log.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

USE, PREFETCH = "use", "prefetch"
"""Purposes of a request: a client waits for the response, or a browser sent it ahead of a click."""


@dataclass(slots=True)
class RequestRecord:
    """The cost of one request so far. All times are in seconds."""

    started: float = field(default_factory=time.perf_counter)
    queries: int = 0
    query_s: float = 0.0
    retries: int = 0
    """Transactions that were run again after a conflict."""
    cache_s: float = 0.0
    cache: dict[str, str] = field(default_factory=dict)
    """Layer to its ``Cache-Status`` entry, the layer nearest to the origin first."""
    degraded: list[str] = field(default_factory=list)
    """Names of the missing parts of the response, and of unavailable layers."""
    stale: bool = False
    """Whether a stale value was served."""
    purpose: str = USE
    """One of :data:`USE` and :data:`PREFETCH`."""

    @property
    def elapsed_s(self) -> float:
        """Return seconds since the request began."""
        return time.perf_counter() - self.started


_current: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)


def begin(purpose: str = USE) -> RequestRecord:
    """Open and return the record of a new request in this context.

    Args:
        purpose: of the request, :data:`USE` or :data:`PREFETCH`.
    """
    record = RequestRecord(purpose=purpose)
    _current.set(record)
    return record


def without_record(work: Callable[[], object]) -> None:
    """Run work that belongs to no request: its cost is not recorded."""
    _current.set(None)
    work()


def current() -> RequestRecord | None:
    """Return the record of the current request; ``None`` outside a request."""
    return _current.get()


def record_query(seconds: float) -> None:
    """Count one database statement."""
    if (record := _current.get()) is not None:
        record.queries += 1
        record.query_s += seconds


def record_retry() -> None:
    """Count one retry of a transaction."""
    if (record := _current.get()) is not None:
        record.retries += 1


def record_cache_lookup(layer: str, status: str, seconds: float) -> None:
    """Record one cache look-up: its ``Cache-Status`` entry (RFC 9211) and the seconds spent in the cache.

    The look-up of a page begins first, and the look-ups of its parts run within it. So the look-up that ends last is
    the one of the page, and each layer has one entry.
    """
    if (record := _current.get()) is not None:
        record.cache.pop(layer, None)  # moves it to the end: an outer look-up ends after the look-ups within it
        record.cache[layer] = status
        record.cache_s += seconds


def add_cache_time(seconds: float) -> None:
    """Add seconds spent in a cache outside a complete look-up."""
    if (record := _current.get()) is not None:
        record.cache_s += seconds


def mark_uncacheable() -> None:
    """Record that no cache stores the response itself, even if its parts were looked up in one."""
    if (record := _current.get()) is not None:
        record.cache.clear()


def mark_stale() -> None:
    """Record that a stale value was served, so that no cache stores the response as fresh."""
    if (record := _current.get()) is not None:
        record.stale = True


def mark_degraded(part: str) -> None:
    """Record that the response lacks ``part``, or that the layer of this name is unavailable."""
    if (record := _current.get()) is not None:
        record.degraded.append(part)
