"""Password hashing: argon2id behind a bulkhead.

Problem: customers reuse passwords, and tables get stolen.
Method: argon2id with the library's defaults (RFC 9106's low-memory profile: 64 MiB, 3 passes). The password is
normalised to NFKC first, so different keyboards give the same bytes. A log-in to an account that does not exist
verifies a dummy hash, so it takes the same time. A hash with outdated parameters is renewed at the next log-in.
Each hash takes 64 MiB and tens of milliseconds of processor time by design. A burst of log-ins must not take all the
memory or all the request threads. Therefore a bulkhead with a bounded queue computes two hashes at the same time, lets
two callers wait, and refuses the next caller at once.
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
from shop.patterns.resilience import deadlines

CONCURRENT_HASHES = 2
"""Hashes computed at the same time in one process: one per core, at most 128 MiB."""
WAITING_CALLERS = 2
"""Callers that wait, each on a request thread. With the two running ones they hold four of the eight threads of a
process; the other four serve other requests."""
QUEUE_TIMEOUT_S = 3.0
"""Seconds a caller waits before it is refused."""
RETRY_AFTER_S = 2
BUSY = "Too many people are signing in at once. Try again in a few seconds."


def max_waiting(threads: int) -> int:
    """Return how many callers may wait in a process with this many request threads.

    The running and the waiting callers together hold at most half of the threads.
    """
    return max(0, min(WAITING_CALLERS, threads // 2 - CONCURRENT_HASHES))


class PasswordHashing:
    """Hashes and verifies passwords. Build one for each process, since the limits hold for one object.

    Args:
        hasher: argon2 with its parameters.
        concurrent: hashes computed at the same time.
        waiting: callers that may wait; further callers are refused.
        queue_timeout_s: seconds a caller waits, at most until its deadline.
    """

    def __init__(
        self,
        hasher: PasswordHasher | None = None,
        concurrent: int = CONCURRENT_HASHES,
        waiting: int = WAITING_CALLERS,
        queue_timeout_s: float = QUEUE_TIMEOUT_S,
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._queue = threading.BoundedSemaphore(concurrent + waiting)
        self._running = threading.BoundedSemaphore(concurrent)
        self._queue_timeout_s = queue_timeout_s
        self._dummy_hash = _dummy_hash(self._hasher)

    def hash(self, password: str) -> str:
        """Return the encoded hash to store.

        Raises:
            TooManyRequests: the queue is full.
        """
        with self._bulkhead():
            return self._hasher.hash(_normalised(password))

    def matches(self, password: str, stored: str | None) -> bool:
        """Return whether the password belongs to the stored hash.

        Args:
            password: as typed.
            stored: the encoded hash, or ``None`` if the account does not exist or has no password. The result is then
                false, after the same work.

        Raises:
            TooManyRequests: the queue is full.
        """
        with self._bulkhead():
            try:
                return self._hasher.verify(stored or self._dummy_hash, _normalised(password)) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

    def refuse_if_full(self) -> None:
        """Refuse the caller if the queue is full, before the caller reads the account. This reserves no place.

        Raises:
            TooManyRequests: the queue is full.
        """
        with _acquired(self._queue, timeout_s=0):
            pass

    def needs_rehash(self, stored: str) -> bool:
        """Return whether the hash has outdated parameters."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _bulkhead(self) -> Iterator[None]:
        with (
            _acquired(self._queue, timeout_s=0),
            _acquired(self._running, min(self._queue_timeout_s, deadlines.remaining())),
        ):
            yield


@contextmanager
def _acquired(semaphore: threading.BoundedSemaphore, timeout_s: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=timeout_s):
        raise TooManyRequests(BUSY, retry_after=RETRY_AFTER_S)
    try:
        yield
    finally:
        semaphore.release()


def hash_password(password: str) -> str:
    """Return the encoded hash of one password, to load accounts."""
    return PasswordHashing().hash(password)


def _normalised(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _dummy_hash(hasher: PasswordHasher) -> str:
    """Return a random hash with the current parameters that matches no password. This computes no hash."""
    salt, digest = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"
