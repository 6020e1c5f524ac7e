"""Deadlines: until when an answer is worth anything to whoever asked.

Problem: each call has a timeout of its own, and they add up. The shopper left after eight seconds; the third server in
the chain is still at work for her.
Method: the web layer sets one deadline a request, in a context variable. Every outbound call takes what is left of it,
never more, and sends it on in a header as milliseconds left (clocks of two machines differ; durations do not). What
would begin past it is not begun.
Switch: ``payments.timeout``, for the calls to the provider. Experiment: ``slow-payments``.
Source: Google, "Site Reliability Engineering", ch. 22, latency and deadlines; gRPC's deadline propagation.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from shop.clock import Clock, SystemClock

HEADER = "X-Deadline-Ms"
"""How many milliseconds the caller will go on waiting."""
MAX_DIGITS = 9
"""Eleven days in milliseconds; a longer number is no deadline."""
_MACHINE = SystemClock()


class DeadlineExceeded(Exception):
    """There is no time left; what was about to begin was not begun."""


@dataclass(frozen=True, slots=True)
class RequestDeadline:
    """A moment on a monotonic clock.

    Args:
        at: reading of the clock, in seconds.
        clock: the clock it is a reading of.
    """

    at: float
    clock: Clock = _MACHINE

    @classmethod
    def within(cls, seconds: float, clock: Clock = _MACHINE) -> "RequestDeadline":
        """Return the moment so many seconds from now."""
        return cls(clock.monotonic() + seconds, clock)

    def remaining(self) -> float:
        """Return the seconds left, 0 once it has passed."""
        return max(0.0, self.at - self.clock.monotonic())


_current: ContextVar[RequestDeadline | None] = ContextVar("deadline", default=None)


def begin(deadline: RequestDeadline | None) -> None:
    """Work under a deadline from here on; it replaces the one of whatever this thread did before."""
    _current.set(deadline)


def remaining() -> float:
    """Return the seconds left to what is being done; infinite where nobody set a deadline."""
    deadline = _current.get()
    return math.inf if deadline is None else deadline.remaining()


def check() -> None:
    """Stop here if the time is up.

    Raises:
        DeadlineExceeded: it is.
    """
    if remaining() <= 0:
        raise DeadlineExceeded


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give the block so many seconds at most. A deadline that ends sooner stands: nobody can extend another's."""
    outer = _current.get()
    own = RequestDeadline.within(seconds, outer.clock if outer else _MACHINE)
    token = _current.set(own if outer is None or own.at < outer.at else outer)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def lifted() -> Iterator[None]:
    """Let the block work without a deadline."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def header_value(seconds: float) -> str:
    """Write the time left as :data:`HEADER` carries it, rounded down: a promise of less is kept."""
    return str(int(seconds * 1000))


def read(header: str | None) -> float | None:
    """Return the seconds a caller will wait, or ``None`` where it did not say, or said nothing that can be read."""
    if header is None or not (header.isascii() and header.isdecimal() and len(header) <= MAX_DIGITS):
        return None
    return int(header) / 1000
