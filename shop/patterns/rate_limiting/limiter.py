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
sign in. A failed call costs at most ``SHOP_CACHE_TIMEOUT_MS``; then the ``OutageBreaker`` of the client skips the
counters of this process for a second.
Switch: ``overload.rate_limit``. Experiment: ``rate-limits``.
Source: RFC 6585, 4 (429); draft-ietf-httpapi-ratelimit-headers-11; the documentation of ``limits``, "Rate limiting
strategies".
"""

import math
import time
from collections.abc import Callable

from limits import RateLimitItemPerSecond
from limits.strategies import FixedWindowRateLimiter

from shop.clock import Clock
from shop.patterns.caching.events import Event, LevelDown
from shop.patterns.caching.valkey_client import CacheUnavailable, ValkeyClient
from shop.patterns.rate_limiting.policy import RateDecision, RateOutcome, RatePolicy
from shop.patterns.rate_limiting.valkey_counters import ValkeyCounters


class ClientRateLimiter:
    """Limits each client by counters in Valkey. Build one for each process.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` address of the cache Valkey.
        timeout_ms: milliseconds one connect, one write or one read may take.
        clock: measures the pause after a failure.
        record: called with the name of the policy and the outcome of each request.
        report_outage: called with the kind of error at the beginning of each pause.
    """

    def __init__(
        self,
        url: str,
        timeout_ms: int,
        clock: Clock,
        record: Callable[[str, RateOutcome], None],
        report_outage: Callable[[str], None],
    ) -> None:
        def emit(event: Event) -> None:
            if isinstance(event, LevelDown):
                report_outage(event.reason)

        self._client = ValkeyClient(url, timeout_ms, clock, "rate-limits", emit)
        self._windows = FixedWindowRateLimiter(ValkeyCounters(self._client))
        self._record = record

    def count_request(self, policy: RatePolicy, client: str) -> RateDecision | None:
        """Count one request of a client; ``None`` if Valkey is away."""
        window = RateLimitItemPerSecond(policy.quota, policy.window_s, namespace=policy.name)
        try:
            is_admitted = self._windows.hit(window, client)
            ends_at, remaining = self._windows.get_window_stats(window, client)
        except CacheUnavailable:
            self._record(policy.name, "unchecked")
            return None
        self._record(policy.name, "admitted" if is_admitted else "refused")
        return RateDecision(policy, is_admitted, remaining, whole_seconds(policy, ends_at - time.time()))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def whole_seconds(policy: RatePolicy, left_s: float) -> int:
    """Return the seconds until a window has surely ended, from 1 to its length. Pure.

    Args:
        policy: of the window.
        left_s: the seconds that are left of it.
    """
    return min(policy.window_s, max(1, math.ceil(left_s)))
