"""The caching headers for the edge, the nginx in front of the application.

For a route whose response is the same for every client, the edge sends the key under which it would store the response
(``X-Edge-Key``). The application sends the lifetime at the edge in a header of its own, ``X-Accel-Expires``. The usual
``Cache-Control`` header gives the lifetime in browsers, which is shorter, because no invalidation reaches a browser.
Before the edge may store a response for long, the application registers the key under each of its tags, where the
purger finds it. The response also carries the time of the edge's request, by the edge's own clock (``X-Edge-Asked``).
Without these headers the edge stores nothing, so errors and private responses are never stored.

A second ``Cache-Control`` header tells the edge for how long it may serve a stale response. The edge removes it, so
browsers do not get it. nginx applies ``stale-if-error`` if it cannot reach the application, but not if the application
responds with an error. So the edge announces that it has a stale response (``X-Edge-Holds``), and an error response
redirects the edge to it (``X-Accel-Redirect``).
Switch: ``cache.edge``. Experiment: ``cache-layers``.
Source: nginx's documentation of ``proxy_cache_valid`` (X-Accel-Expires) and ``proxy_cache_use_stale``; RFC 9213
(targeted cache control); RFC 5861 (stale-while-revalidate, stale-if-error).
"""

from typing import TYPE_CHECKING, Protocol

from shop.clock import Clock
from shop.patterns.caching import CachePolicy
from shop.patterns.caching.valkey_client import CacheUnavailable
from shop.patterns.edge import SurrogateKeyIndex
from shop.patterns.observability import request_record
from shop.web.http_caching import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

KEY_VARIABLE = "HTTP_X_EDGE_KEY"
REQUESTED_AT_VARIABLE = "HTTP_X_EDGE_ASKED"
HAS_STALE_VARIABLE = "HTTP_X_EDGE_HOLDS"
LAST_GOOD_REDIRECT = ("X-Accel-Redirect", "@last_good")
"""The edge's location that serves the stale response, or an error page of the edge if there is none."""
LIFETIME_HEADER = "X-Accel-Expires"
STALE_IF_ERROR_STATUSES = frozenset({500, 502, 503, 504})
"""Errors that the last good response may replace (RFC 5861, 4)."""
DEGRADED_TTL_S = 3
"""Lifetime at the edge of a response that is stale or lacks a part. The edge never serves it after that."""
UNPURGEABLE_TTL_S = 3
"""Lifetime at the edge of a response that cannot be purged. It is long enough for a crowd, and an outdated response is
soon gone. The edge never serves it after that."""


class EdgeCaching(Protocol):
    """The caching headers for the edge."""

    def headers(self, environ: "WSGIEnvironment", policy: CachePolicy, tags: tuple[str, ...]) -> Headers:
        """Return the headers that say how long the edge may store a response; none if there is no edge."""

    def needs_full_body(self, environ: "WSGIEnvironment") -> bool:
        """Return whether the edge may store the response for clients that do not have it yet."""


class EdgeCacheable:
    """The edge stores public responses for as long as their TTL class allows.

    Args:
        index: registers the edge's keys by tag; ``None`` if there is no server for it.
        clock: tells when a response was made.
        ttl_scale: multiplies every time-to-live, as in the application's caches.
    """

    def __init__(self, index: SurrogateKeyIndex | None, clock: Clock, ttl_scale: float = 1.0) -> None:
        self._index = index
        self._clock = clock
        self._ttl_scale = ttl_scale

    def headers(self, environ: "WSGIEnvironment", policy: CachePolicy, tags: tuple[str, ...]) -> Headers:
        """Register the key, and return lifetime, begin and end, and TTL class.

        The last header is the time at which the edge asked, by its own clock: the purger compares with it.
        """
        key = environ.get(KEY_VARIABLE)
        if not key:
            return []
        lifetime_s = 0 if policy.private or not policy.ttl_s else max(1, round(policy.ttl_s * self._ttl_scale))
        may_be_stale = bool(policy.grace_s)
        record = request_record.current()
        if record is not None and (record.degraded or record.stale):
            lifetime_s, may_be_stale = min(lifetime_s, DEGRADED_TTL_S), False
        if lifetime_s and not self._is_purgeable(key, tags, lifetime_s):
            lifetime_s, may_be_stale = min(lifetime_s, UNPURGEABLE_TTL_S), False
        made = int(self._clock.now().timestamp())
        headers = [
            (LIFETIME_HEADER, str(lifetime_s)),
            ("X-Edge-Made", str(made)),
            ("X-Edge-Until", str(made + lifetime_s)),
            ("X-Edge-Class", policy.name),
            ("X-Edge-Asked", environ.get(REQUESTED_AT_VARIABLE, "")),
        ]
        if lifetime_s and may_be_stale:
            bounds = policy.stale_while_revalidate_s, policy.stale_if_error_s
            headers.append(("Cache-Control", "stale-while-revalidate={}, stale-if-error={}".format(*bounds)))
        return headers

    def needs_full_body(self, environ: "WSGIEnvironment") -> bool:
        """Return ``True`` if the edge asks: a 304 would be useless to the next client."""
        return bool(environ.get(KEY_VARIABLE))

    def _is_purgeable(self, key: str, tags: tuple[str, ...], lifetime_s: int) -> bool:
        """Register the key under its tags, and return whether a purge can find it."""
        if not tags:
            return True  # no write changes it, so no purge is needed
        if self._index is None:
            return False
        try:
            self._index.register(key, tags, lifetime_s)
        except CacheUnavailable:
            request_record.mark_degraded(self._index.name)
            return False
        return True


def stale_if_error_redirect(environ: "WSGIEnvironment", status: int) -> Headers:
    """Return the header that redirects the edge to its stale response, if this response is an error and it has one.

    Args:
        environ: of the request.
        status: of the response.
    """
    return [LAST_GOOD_REDIRECT] if status in STALE_IF_ERROR_STATUSES and environ.get(HAS_STALE_VARIABLE) else []


def has_stale_copy(environ: "WSGIEnvironment") -> bool:
    """Return whether the edge has a stale response for this URL."""
    return bool(environ.get(HAS_STALE_VARIABLE))


class EdgeBypass:
    """The edge stores nothing."""

    def headers(self, environ: "WSGIEnvironment", policy: CachePolicy, tags: tuple[str, ...]) -> Headers:
        """Return a lifetime of 0 seconds if the edge asks."""
        return [(LIFETIME_HEADER, "0")] if environ.get(KEY_VARIABLE) else []

    def needs_full_body(self, environ: "WSGIEnvironment") -> bool:
        """Return ``False``: the response is for this client only."""
        return False
