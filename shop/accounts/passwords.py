"""Passwords, kept so that a stolen table is worth little.

Problem: people reuse passwords, and tables get stolen.
Method: argon2id with the library's defaults (RFC 9106's low-memory profile: 64 MiB, 3 passes), NFKC first so one
password typed on two keyboards is one password. An account that does not exist costs a verification like one that
does. Hashes made with other parameters are renewed at the next log-in.
Each hash takes 64 MiB and tens of milliseconds of processor time on purpose, so a burst of log-ins must take neither
the shop's memory nor its request threads: a bulkhead with a bounded queue. Two hashes are computed at once, two callers
wait, and the next is refused at once.
Source: RFC 9106; NIST SP 800-63B, 5.1.1.2; OWASP Password Storage Cheat Sheet; Nygard, "Release It!", "Bulkheads".
"""

import secrets
import threading
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shop.errors import TooManyRequests

AT_ONCE = 2
"""Hashes computed at the same time in one process: one a core, 128 MiB at most."""
WAITING = 2
"""Callers that wait for a turn, each on a request thread. With those being served that is four of a process's eight:
the other half goes on serving shoppers."""
TURN_TIMEOUT_S = 3.0
"""How long a caller waits for its turn before it is told to come back."""
RETRY_AFTER_S = 2
BUSY = "Too many people are signing in at once. Try again in a few seconds."


def max_waiting(threads: int) -> int:
    """Return how many callers may wait for a turn in a process with so many request threads.

    Those being served and those waiting hold at most half of the threads.
    """
    return max(0, min(WAITING, threads // 2 - AT_ONCE))


class PasswordHashing:
    """Hashes and verifies; build one a process, so that its limit holds for the process.

    Args:
        hasher: argon2 with its parameters.
        at_once: hashes computed at the same time.
        waiting: callers that may wait for a turn; any more are refused.
        turn_timeout_s: seconds a caller waits for a turn.
    """

    def __init__(
        self,
        hasher: PasswordHasher | None = None,
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
        turn_timeout_s: float = TURN_TIMEOUT_S,
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._places = threading.BoundedSemaphore(at_once + waiting)
        self._turns = threading.BoundedSemaphore(at_once)
        self._turn_timeout_s = turn_timeout_s
        self._nobodys = _unmatchable(self._hasher)

    def hash(self, password: str) -> str:
        """Return the encoded hash to keep.

        Raises:
            TooManyRequests: as many as may wait for a turn do.
        """
        with self._turn():
            return self._hasher.hash(_normalised(password))

    def matches(self, password: str, stored: str | None) -> bool:
        """Tell whether the password belongs to the stored hash.

        Args:
            password: what was typed.
            stored: the encoded hash, or ``None`` for an account that does not exist or has no password; the answer
                is then no, after the same work.

        Raises:
            TooManyRequests: as many as may wait for a turn do.
        """
        with self._turn():
            try:
                return self._hasher.verify(stored or self._nobodys, _normalised(password)) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

    def refuse_if_full(self) -> None:
        """Refuse a caller who would find no place, before anything is looked up for it; it keeps no place.

        Raises:
            TooManyRequests: as many as may wait for a turn do.
        """
        with _taken(self._places, timeout_s=0):
            pass

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with _taken(self._places, timeout_s=0), _taken(self._turns, self._turn_timeout_s):
            yield


@contextmanager
def _taken(semaphore: threading.BoundedSemaphore, timeout_s: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=timeout_s):
        raise TooManyRequests(BUSY, retry_after=RETRY_AFTER_S)
    try:
        yield
    finally:
        semaphore.release()


def hash_password(password: str) -> str:
    """Return the encoded hash of one password, for loading accounts."""
    return PasswordHashing().hash(password)


def _normalised(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _unmatchable(hasher: PasswordHasher) -> str:
    """Write a hash with today's parameters that no known password has; writing it costs no hashing."""
    salt, digest = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"
