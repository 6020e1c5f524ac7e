"""Rate limiting: one counter in Valkey for each client and kind of request.

Problem: one client that guesses passwords, or adds to carts in a loop, takes the time of all the others.
Method: a fixed window of the library ``limits``. The first request of a client opens a window of a minute; each request
adds one to the window's counter; a request above the quota is refused until the window ends. The counters are in the
cache Valkey, so all web processes count together. A fixed window knows exactly how many requests are left and when the
window ends, so a client that obeys the ``RateLimit`` header is never refused. Its price: around the end of a window, a
client can send two quotas within seconds. That is no danger here, because the quota stops abuse and is not the store's
capacity. (The library's sliding window begins at the client's first request in Valkey, and at the full minute in
memory. So a test in memory would not show how the store behaves.)
If Valkey is away, every request is admitted, and counted as unchecked: a limit must not be the reason why nobody can
sign in. A failed call costs at most ``SHOP_CACHE_TIMEOUT_MS``; then the cache's ``OutageBreaker`` skips the counters of
this process for a second.
Switch: ``overload.rate_limit``. Experiment: ``rate-limits``.
Source: RFC 6585, 4 (429); draft-ietf-httpapi-ratelimit-headers-11; the documentation of ``limits``, "Rate limiting
strategies".
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from shop.clock import Clock
from shop.patterns.caching.valkey_client import OUTAGE_PAUSE_S, OutageBreaker

WINDOW_S = 60
KEY_PREFIX = "rate"
"""First part of the counters' keys in the cache Valkey."""

RateOutcome = Literal["admitted", "refused", "unchecked"]
"""``unchecked``: Valkey did not answer, so the request was admitted without a count."""


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """How many requests of one kind a client may send.

    Args:
        name: of the kind, as in the ``RateLimit`` header.
        quota: requests in a window.
        window_s: seconds of a window.
    """

    name: str
    quota: int
    window_s: int = WINDOW_S


@dataclass(frozen=True, slots=True)
class RateDecision:
    """The state of a client's window after one request.

    Args:
        policy: of the request.
        is_admitted: whether the request may be served.
        remaining: requests left in the window.
        reset_s: whole seconds until the window has surely ended.
    """

    policy: RatePolicy
    is_admitted: bool
    remaining: int
    reset_s: int


class RateLimiter(Protocol):
    """Counts the requests of clients."""

    def count_request(self, policy: RatePolicy, client: str) -> RateDecision | None:
        """Count one request of a client; ``None`` if requests are not limited now.

        Args:
            policy: of the kind of request.
            client: identifies the client.
        """


class ClientRateLimiter:
    """Limits each client by counters in Valkey. Build one for each process.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` address of the cache Valkey.
        timeout_ms: milliseconds one connect, one write or one read may take.
        clock: measures the pause after a failure.
        record: called with the name of the policy and the outcome of each request.
        report_outage: called with the error at the beginning of each pause.
    """

    def __init__(
        self,
        url: str,
        timeout_ms: int,
        clock: Clock,
        record: Callable[[str, RateOutcome], None],
        report_outage: Callable[[Exception], None],
    ) -> None:
        self._storage = RedisStorage(
            url,
            key_prefix=KEY_PREFIX,
            socket_timeout=timeout_ms / 1000,
            socket_connect_timeout=timeout_ms / 1000,
            retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]  # typed for numbers, texts and truth values only
            driver_info=None,  # type: ignore[arg-type]  # saves a round trip of each new connection
        )
        self._breaker = OutageBreaker(clock, OUTAGE_PAUSE_S)
        self._record = record
        self._report_outage = report_outage

    def count_request(self, policy: RatePolicy, client: str) -> RateDecision | None:
        """Count one request of a client; ``None`` if Valkey is away."""
        decision = self._ask_valkey(policy, client)
        if decision is None:
            self._record(policy.name, "unchecked")
        else:
            self._record(policy.name, "admitted" if decision.is_admitted else "refused")
        return decision

    def close(self) -> None:
        """Close the connections."""
        self._storage.storage.close()

    def _ask_valkey(self, policy: RatePolicy, client: str) -> RateDecision | None:
        if self._breaker.is_open and not self._breaker.allow_request():
            return None
        window = RateLimitItemPerSecond(policy.quota, policy.window_s, namespace=policy.name)
        key = window.key_for(client)
        try:
            count = self._storage.incr(key, window.get_expiry())
            ends_at = self._storage.get_expiry(key)
        except (RedisError, OSError) as error:
            if self._breaker.record_failure():
                self._report_outage(error)
            return None
        if self._breaker.is_open:
            self._breaker.record_success()
        return decide(policy, count, ends_at - time.time())


class NoRateLimiter:
    """The variant without limits."""

    def count_request(self, policy: RatePolicy, client: str) -> RateDecision | None:
        """Return ``None``: nothing is counted."""
        return None


def decide(policy: RatePolicy, count: int, left_s: float) -> RateDecision:
    """Return the decision on a request. Pure.

    Args:
        policy: of the request.
        count: requests of the client in this window, with this one.
        left_s: seconds until the end of the window, as Valkey rounds them: up to half a second too few.
    """
    reset_s = min(policy.window_s, max(1, math.floor(left_s + 0.5) + 1))
    return RateDecision(policy, count <= policy.quota, max(0, policy.quota - count), reset_s)
