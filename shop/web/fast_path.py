"""The short way: an address that was answered from a key before is answered from what is kept under it again.

Problem: with the bytes already in memory, finding out that these are the bytes (routing, validating, a view, building a
response) is most of what a warm page costs.
Method: remember which key an address was answered from, never the answer itself. When a level still holds something
fresh under that key, it is sent at once. What ends it (an invalidation, its time, a lost listener) ends the short way
with it, and the request takes the long one, through Flask, where alone anything is loaded or renewed. Everything around
Flask happens on either way: ids, log line, figures, headers.
Switch: ``cache.local`` and ``cache.shared``; with both off there is no short way. Measured:
``loadtests/benchmarks/warm_screen.py``.
Source: Django's documentation, "The per-site cache": the middleware that answers before any view is looked for.
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shop.patterns.caching import CacheableResponse, CacheClient, CachePolicy
from shop.web.edge_headers import EdgeCaching
from shop.web.http_caching import BrowserCaching, Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BYTES = 3_000_000
"""Of what is remembered in each process, some 4,000 addresses. Those of a client that makes up query strings push one
another out, and are the fewer the longer they are."""
MAX_URL_BYTES = 2_048
"""Bytes an address may take, path, query, key and tags together; a longer one takes the long way."""
OVERHEAD_BYTES = 600
"""Bytes of the objects that hold one, beside their texts."""


@dataclass(frozen=True, slots=True)
class CachedAddress:
    """What an address was answered from."""

    route: str
    """The route's template, for the figures."""
    key: str
    policy: CachePolicy
    tags: tuple[str, ...]
    content_type: str


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """A whole answer, ready to be sent."""

    route: str
    status: str
    headers: Headers
    body: bytes


class CachedResponseFastPath:
    """Answers from what is kept without asking Flask.

    Args:
        cache: looked into; nothing is loaded.
        browser: what browsers are told.
        edge: what the edge is told.
    """

    def __init__(self, cache: CacheClient, browser: BrowserCaching, edge: EdgeCaching) -> None:
        self._cache = cache
        self._browser = browser
        self._edge = edge
        self._known: dict[tuple[str, str], CachedAddress] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def learn(self, environ: "WSGIEnvironment", route: str, found: CacheableResponse, content_type: str) -> None:
        """Remember what the request being served was answered from, if it is kept at all."""
        if found.key is None:
            return
        asked = (environ["PATH_INFO"], environ["QUERY_STRING"])
        address = CachedAddress(route, found.key, found.policy, found.tags, content_type)
        size = _size(asked, address)
        if size - OVERHEAD_BYTES > MAX_URL_BYTES:
            return
        with self._lock:
            self._forget(asked)
            while self._known and self._bytes + size > MAX_BYTES:
                self._forget(next(iter(self._known)))
            self._known[asked] = address
            self._bytes += size

    def answer(self, environ: "WSGIEnvironment") -> CachedAnswer | None:
        """Return the answer to a request, or ``None`` where it must go the long way."""
        address = self._known.get((environ["PATH_INFO"], environ["QUERY_STRING"]))
        if address is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return None
        kept = self._cache.peek(address.key, address.policy, address.tags)
        if kept is None:
            return None
        headers = self._browser.headers(address.policy, kept.digest)
        headers += self._edge.headers(environ, address.policy, tuple(address.tags))
        asked = None if self._edge.needs_full_body(environ) else environ.get("HTTP_IF_NONE_MATCH")
        if self._browser.is_not_modified(asked, kept.digest):
            return CachedAnswer(address.route, "304 Not Modified", headers, b"")
        headers += (("Content-Type", address.content_type), ("Content-Length", str(len(kept.value))))
        return CachedAnswer(
            address.route, "200 OK", headers, b"" if environ["REQUEST_METHOD"] == "HEAD" else kept.value
        )

    def _forget(self, asked: tuple[str, str]) -> None:
        known = self._known.pop(asked, None)
        if known is not None:
            self._bytes -= _size(asked, known)


def _size(asked: tuple[str, str], address: CachedAddress) -> int:
    """Return about how many bytes an address takes."""
    return OVERHEAD_BYTES + sum(map(len, asked)) + len(address.key) + sum(map(len, address.tags))
