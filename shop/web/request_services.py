"""The services of the request being served, as far as the web layer itself uses them.

A request takes its services once, at its start, for one snapshot of the switches (:mod:`shop.web.request_middleware`).
"""

from typing import Protocol, cast

from flask import request

from shop.patterns.idempotency.policy import IdempotencyPolicy
from shop.patterns.observability.access_log import AccessRecorder
from shop.patterns.observability.correlation import AdoptIds
from shop.patterns.rate_limiting import RateLimiter
from shop.web.edge_headers import EdgeCaching
from shop.web.fast_path import CachedResponseFastPath
from shop.web.http_caching import BrowserCaching
from shop.web.prefetch import PrefetchRules

SERVICES_KEY = "shop.services"
"""Key of the services in the WSGI environment."""


class RequestServices(Protocol):
    """The part of the store's services that serves HTTP, whatever the request is about."""

    @property
    def adopt_ids(self) -> AdoptIds:
        """Return the function that sets the ids of a request."""

    @property
    def access_log(self) -> AccessRecorder:
        """Return the recorder of the request's log line."""

    @property
    def fast_path(self) -> CachedResponseFastPath:
        """Return the fast path, which sends cached responses without Flask."""

    @property
    def browser(self) -> BrowserCaching:
        """Return the caching headers for browsers."""

    @property
    def edge(self) -> EdgeCaching:
        """Return the caching headers for the edge."""

    @property
    def rate_limiter(self) -> RateLimiter:
        """Return the limiter, which counts the writes of each client."""

    @property
    def prefetch(self) -> PrefetchRules:
        """Return the rules for browsers that request pages ahead of a click."""

    @property
    def idempotency(self) -> IdempotencyPolicy:
        """Return the policy for idempotency keys."""


def request_services() -> RequestServices:
    """Return the services of the request being served; the same object from its start to its end."""
    return cast(RequestServices, request.environ[SERVICES_KEY])
