"""Answers that are the same for everybody, on their way out of a view."""

from typing import Protocol

from flask import Response, request

from shop.patterns.caching import CacheableResponse, CachePolicy, digest
from shop.patterns.observability import request_record
from shop.web import request_middleware
from shop.web.edge_headers import EdgeCaching
from shop.web.fast_path import CachedResponseFastPath
from shop.web.http_caching import BrowserCaching, Headers

JSON = "application/json"
HTML = "text/html; charset=utf-8"


class PublishingServices(Protocol):
    """What the services of a request must carry for a public answer to be sent."""

    @property
    def browser(self) -> BrowserCaching:
        """Return what browsers are told."""

    @property
    def edge(self) -> EdgeCaching:
        """Return what the edge is told."""

    @property
    def fast_path(self) -> CachedResponseFastPath:
        """Return what remembers the answer's address."""


def publish(found: CacheableResponse, content_type: str) -> Response:
    """Answer the request being served with what is the same for everybody."""
    services = request_middleware.services(PublishingServices)  # type: ignore[type-abstract]  # any services will do
    found_digest = digest(found.value)
    headers = [("Content-Type", content_type), *services.browser.headers(found.policy, found_digest)]
    headers += services.edge.headers(request.environ, found.policy, found.tags)
    if found.key is None:
        request_record.mark_uncacheable()
    services.fast_path.learn(request.environ, str(request.url_rule), found, content_type)
    asked = None if services.edge.needs_full_body(request.environ) else request.environ.get("HTTP_IF_NONE_MATCH")
    if services.browser.is_not_modified(asked, found_digest):
        response = Response(status=304, headers=headers)
        del response.headers["Content-Type"]
        return response
    return Response(found.value, headers=headers)


def edge_headers_for(policy: CachePolicy, tags: tuple[str, ...] = ()) -> Headers:
    """Return what the edge is told about an answer that is not published from the cache."""
    services = request_middleware.services(PublishingServices)  # type: ignore[type-abstract]  # any services will do
    return services.edge.headers(request.environ, policy, tags)
