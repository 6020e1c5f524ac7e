"""Deadlines: the time after which a response is of no use to the client.

Problem: each call has its own timeout, and the timeouts add up. The shopper has left after eight seconds, and the third
server in the chain still works on the request.
Method: the web layer sets one deadline for each request, in a context variable. It counts from the moment at which the
edge passed the request on, so the time in a queue counts too: the shopper has waited for it. Every outbound call gets
at most the remaining time, and sends it in a header as milliseconds (clocks of two machines differ, durations do not).
After the deadline no call begins, and a request whose deadline has passed in the queue is not begun.
Switch: ``payments.timeout``, for the calls to the provider. Experiment: ``slow-payments``.
Source: Google, "Site Reliability Engineering", ch. 22, latency and deadlines; gRPC's deadline propagation.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from shop.clock import Clock, SystemClock

HEADER = "X-Deadline-Ms"
"""Milliseconds that the caller still waits."""
ARRIVAL_HEADER = "X-Edge-Asked"
"""When the edge had the whole request and passed it on, in seconds since 1970. A slow upload does not count: there the
store waits for the client."""
MAX_DIGITS = 9
"""Eleven days in milliseconds; a longer number is no deadline."""
LONGEST_QUEUE_S = 600.0
"""No queue keeps a request for ten minutes: an older stamp comes from a clock that is wrong."""
STAMP = re.compile(r"[0-9]{10}\.[0-9]{3}")
"""nginx's ``$msec``."""
_SYSTEM_CLOCK = SystemClock()


class DeadlineExceeded(Exception):
    """There is no time left, so the call was not made."""


@dataclass(frozen=True, slots=True)
class RequestDeadline:
    """A deadline on a monotonic clock.

    Args:
        at: time on the clock, in seconds.
        clock: the clock.
    """

    at: float
    clock: Clock = _SYSTEM_CLOCK

    @classmethod
    def within(cls, seconds: float, clock: Clock = _SYSTEM_CLOCK) -> "RequestDeadline":
        """Return the deadline that many seconds from now."""
        return cls(clock.monotonic() + seconds, clock)

    def remaining(self) -> float:
        """Return the remaining seconds; 0 after the deadline."""
        return max(0.0, self.at - self.clock.monotonic())


_current: ContextVar[RequestDeadline | None] = ContextVar("deadline", default=None)


def begin(deadline: RequestDeadline | None) -> None:
    """Set the deadline of this context; it replaces the deadline of the thread's earlier work."""
    _current.set(deadline)


def remaining() -> float:
    """Return the remaining seconds of the current work; infinity without a deadline."""
    deadline = _current.get()
    return math.inf if deadline is None else deadline.remaining()


def check() -> None:
    """Raise if the deadline has passed.

    Raises:
        DeadlineExceeded: there is no time left.
    """
    if remaining() <= 0:
        raise DeadlineExceeded


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give the block a deadline that many seconds from now. An earlier deadline of the caller stays in force."""
    outer = _current.get()
    own = RequestDeadline.within(seconds, outer.clock if outer else _SYSTEM_CLOCK)
    token = _current.set(own if outer is None or own.at < outer.at else outer)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def lifted() -> Iterator[None]:
    """Run the block without a deadline."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def header_value(seconds: float) -> str:
    """Return the remaining time as the value of :data:`HEADER`, rounded down: the server then never works too long."""
    return str(int(seconds * 1000))


def read(header: str | None) -> float | None:
    """Return the seconds that the caller waits; ``None`` without a readable header."""
    if header is None or not (header.isascii() and header.isdecimal() and len(header) <= MAX_DIGITS):
        return None
    return int(header) / 1000


def arrival(header: str | None) -> float | None:
    """Return when a request arrived, in seconds since 1970.

    Args:
        header: the value of :data:`ARRIVAL_HEADER`, from a trusted proxy; a stranger's says nothing.

    Returns:
        ``None`` without a readable header: the request did not come through the edge.
    """
    return float(header) if header is not None and STAMP.fullmatch(header) else None


def waited(header: str | None, now: float) -> float:
    """Return the seconds that a request has been waiting for its thread.

    Args:
        header: as for :func:`arrival`.
        now: seconds since 1970, by a clock that agrees with the edge's.

    Returns:
        0 without a readable header, and for one from the future or from long ago: then the two clocks differ.
    """
    arrived = arrival(header)
    seconds = 0.0 if arrived is None else now - arrived
    return seconds if 0 < seconds <= LONGEST_QUEUE_S else 0.0
