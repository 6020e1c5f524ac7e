"""What the edge in front of the application is told: whether it may keep an answer, and for how long.

The edge names the key it would keep an answer under (``X-Edge-Key``) where a route is the same for everybody. It is
answered with ``X-Accel-Expires``, so that ``Cache-Control`` can tell browsers something else: an invalidation reaches
the edge, and no browser. Before it is told to keep anything for long, the key is written down under each of its tags,
for the purger to find, and the moment of the edge's question (``X-Edge-Asked``) goes back with the answer. Without a
word the edge keeps nothing: errors and private answers never get here.

How long it may serve an answer that is no longer fresh is told with it, in a ``Cache-Control`` of its own that the edge
takes off again: browsers are told neither bound. Of the second, if an error, nginx takes note when the application
cannot be reached, and not when it answers that it failed. So the edge says that it holds an expired answer
(``X-Edge-Holds``), and a failure sends it there to look (``X-Accel-Redirect``).
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
"""Where the edge serves what it holds, or says in its own words that the store is not answering."""
LIFETIME_HEADER = "X-Accel-Expires"
STALE_IF_ERROR_STATUSES = frozenset({500, 502, 503, 504})
"""Errors in which the last good answer may stand in (RFC 5861, 4)."""
DEGRADED_TTL_S = 3
"""Life at the edge of an answer that is stale or short of a part. It is never served afterwards."""
UNPURGEABLE_TTL_S = 3
"""Life at the edge of an answer whose end nobody can announce: it carries a crowd, and is soon over. It is never served
afterwards, either."""


class EdgeCaching(Protocol):
    """What the edge is told, and whether it must be given the whole answer."""

    def headers(self, environ: "WSGIEnvironment", policy: CachePolicy, tags: tuple[str, ...]) -> Headers:
        """Return the header that says how long the edge may keep the answer; nothing where there is no edge."""

    def needs_full_body(self, environ: "WSGIEnvironment") -> bool:
        """Tell whether the answer may be kept for others, who did not say that they have it already."""


class EdgeCacheable:
    """The edge keeps public answers for as long as their class allows.

    Args:
        registry: where keys are written down; ``None`` where there is no server for it.
        clock: tells when an answer was made.
        ttl_scale: what every time-to-live is multiplied by, as in the caches behind.
    """

    def __init__(self, registry: SurrogateKeyIndex | None, clock: Clock, ttl_scale: float = 1.0) -> None:
        self._registry = registry
        self._clock = clock
        self._ttl_scale = ttl_scale

    def headers(self, environ: "WSGIEnvironment", policy: CachePolicy, tags: tuple[str, ...]) -> Headers:
        """Write the key down; return the lifetime, its two ends, which the edge counts ages from, and its class.

        Last comes when the edge asked, by its own clock: the purger beside it must know.
        """
        key = environ.get(KEY_VARIABLE)
        if not key:
            return []
        lifetime_s = 0 if policy.private or not policy.ttl_s else max(1, round(policy.ttl_s * self._ttl_scale))
        stale = _stale_bounds(policy)
        if not _is_complete():
            lifetime_s, stale = min(lifetime_s, DEGRADED_TTL_S), []
        if lifetime_s and not self._can_be_ended(key, tags, lifetime_s):
            lifetime_s, stale = min(lifetime_s, UNPURGEABLE_TTL_S), []
        made = int(self._clock.now().timestamp())
        return [
            (LIFETIME_HEADER, str(lifetime_s)),
            ("X-Edge-Made", str(made)),
            ("X-Edge-Until", str(made + lifetime_s)),
            ("X-Edge-Class", policy.name),
            ("X-Edge-Asked", environ.get(REQUESTED_AT_VARIABLE, "")),
            *(stale if lifetime_s else []),
        ]

    def needs_full_body(self, environ: "WSGIEnvironment") -> bool:
        """Give the edge all of it: a 304 says nothing to the next who asks."""
        return bool(environ.get(KEY_VARIABLE))

    def _can_be_ended(self, key: str, tags: tuple[str, ...], lifetime_s: int) -> bool:
        if not tags:
            return True  # nothing ends it but its time
        if self._registry is None:
            return False
        try:
            self._registry.register(key, tags, lifetime_s)
        except CacheUnavailable:
            request_record.mark_degraded(self._registry.name)
            return False
        return True


def stale_if_error_redirect(environ: "WSGIEnvironment", status: int) -> Headers:
    """Return the header that has the edge look at what it holds, where an answer is a failure and it holds something.

    Args:
        environ: of the request.
        status: of the answer.
    """
    return [LAST_GOOD_REDIRECT] if status in STALE_IF_ERROR_STATUSES and environ.get(HAS_STALE_VARIABLE) else []


def has_stale_copy(environ: "WSGIEnvironment") -> bool:
    """Tell whether the edge has an answer of this address that is no longer fresh."""
    return bool(environ.get(HAS_STALE_VARIABLE))


def _stale_bounds(policy: CachePolicy) -> Headers:
    if not policy.grace_s:
        return []
    bounds = policy.stale_while_revalidate_s, policy.stale_if_error_s
    return [("Cache-Control", "stale-while-revalidate={}, stale-if-error={}".format(*bounds))]


def _is_complete() -> bool:
    """Tell whether the answer does without nothing: what is stale or short of a part is good for a moment only."""
    request = request_record.current()
    return request is None or not request.degraded


class EdgeBypass:
    """The edge passes everything on."""

    def headers(self, environ: "WSGIEnvironment", policy: CachePolicy, tags: tuple[str, ...]) -> Headers:
        """Forbid to keep it."""
        return [(LIFETIME_HEADER, "0")] if environ.get(KEY_VARIABLE) else []

    def needs_full_body(self, environ: "WSGIEnvironment") -> bool:
        """Answer whoever asks, and nobody else."""
        return False
