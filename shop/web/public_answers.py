"""Public responses: responses that are the same for every client, with their validators and caching headers."""

from flask import Response, request

from shop.patterns.caching import CacheableResponse, CachePolicy, digest
from shop.patterns.observability import request_record
from shop.web.http_caching import Headers
from shop.web.request_services import request_services

JSON = "application/json"
HTML = "text/html; charset=utf-8"


def publish(cacheable: CacheableResponse, content_type: str) -> Response:
    """Build the response to the request being served: validator, caching headers, and 304 where the browser has it.

    Args:
        cacheable: the body, with the cache key, the policy and the tags that it was loaded with.
        content_type: of the body.
    """
    services = request_services()
    validator = services.prefetch.validator(digest(cacheable.value), content_type)
    headers = [("Content-Type", content_type), *services.browser.headers(cacheable.policy, validator)]
    headers += services.prefetch.headers(content_type)
    headers += services.edge.headers(request.environ, cacheable.policy, cacheable.tags)
    if cacheable.key is None:
        request_record.mark_uncacheable()
    services.fast_path.learn(request.environ, str(request.url_rule), cacheable, content_type)
    needs_full_body = services.edge.needs_full_body(request.environ)
    if_none_match = None if needs_full_body else request.environ.get("HTTP_IF_NONE_MATCH")
    if services.browser.is_not_modified(if_none_match, validator):
        response = Response(status=304, headers=headers)
        del response.headers["Content-Type"]
        return response
    return Response(cacheable.value, headers=headers)


def edge_headers_for(policy: CachePolicy, tags: tuple[str, ...] = ()) -> Headers:
    """Return the edge's headers for a response that does not come from the cache."""
    return request_services().edge.headers(request.environ, policy, tags)
