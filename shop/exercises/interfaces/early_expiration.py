"""The interface of the exercise ``early-expiration``."""

from typing import Protocol


class EarlyExpiration(Protocol):
    """Decides, for one reader of a cached entry, from when it treats the entry as expired."""

    def __call__(self, fresh_until: float, load_s: float, draw: float, beta: float) -> float:
        """Return the time from which this reader refreshes the entry; never later than ``fresh_until``.

        Args:
            fresh_until: when the entry expires, unix time in seconds.
            load_s: what the last load of the entry took, in seconds.
            draw: this reader's random number from 0 to 1, both included; a smaller one refreshes earlier.
            beta: a larger one refreshes earlier; usually 1.
        """
        ...
