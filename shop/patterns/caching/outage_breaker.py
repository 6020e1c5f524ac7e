"""Leaving alone what just failed, for a moment, so that its failure costs one caller and not all of them."""

import threading

from shop.clock import Clock


class OutageBreaker:
    """The time during which nobody asks.

    Args:
        clock: measures it.
        length_s: seconds from a failure to the next try.
    """

    def __init__(self, clock: Clock, length_s: float) -> None:
        self._clock = clock
        self._length_s = length_s
        self._lock = threading.Lock()
        self._until: float | None = None
        self._reported_until = 0.0

    @property
    def running(self) -> bool:
        """Tell whether the last thing known is a failure. Costs no lock: healthy callers ask only this."""
        return self._until is not None

    def admits(self) -> bool:
        """Tell whether the caller may try. At the end of a pause one caller may; the others wait for its outcome."""
        with self._lock:
            now = self._clock.monotonic()
            if self._until is not None and now < self._until:
                return False
            if self._until is not None:
                self._until = now + self._length_s
            return True

    def failed(self) -> bool:
        """Start the pause, or start it again.

        Returns:
            Whether this failure is the first of its pause, the one to speak about.
        """
        with self._lock:
            now = self._clock.monotonic()
            self._until = now + self._length_s
            first = now >= self._reported_until
            if first:
                self._reported_until = self._until
            return first

    def succeeded(self) -> bool:
        """End the pause; tell whether there was one."""
        with self._lock:
            ended, self._until = self._until is not None, None
            return ended
