"""The layer that answered one request: the browser's own copy, a cache, the database, or the application alone."""

from collections.abc import Iterable

BROWSER, EDGE, LOCAL, SHARED = "browser", "edge", "local", "shared"
DATABASE, APPLICATION = "database", "application"
LAYERS = (BROWSER, EDGE, LOCAL, SHARED, DATABASE, APPLICATION)
"""From the shopper inwards; ``application`` is code that asked neither a cache nor the database."""
NOT_MODIFIED = 304
_CACHES = {"shop-edge": EDGE, "shop-local": LOCAL, "shop-shared": SHARED}


def answering_layer(status: int, cache: Iterable[str], queries: int) -> str:
    """Return the layer that answered a request.

    Args:
        status: HTTP status; 304 means that the browser's own copy is still good.
        cache: the entries of ``Cache-Status`` (RFC 9211); the layer with a hit answered.
        queries: database statements run for the request.
    """
    if status == NOT_MODIFIED:
        return BROWSER
    for entry in cache:
        layer, _, rest = entry.partition("; ")
        if rest.startswith("hit"):
            return _CACHES.get(layer, layer)
    return DATABASE if queries else APPLICATION
