"""Fast path: URL -> cache key. While that key is fresh in a cache, its bytes are sent without running Flask.

Problem: if the bytes are already in memory, most of the cost of a warm page is to find out which bytes they are:
routing, validation, a view, a response object.
Method: each process remembers the cache key that a URL was answered from, never the response itself. If a cache level
has a fresh entry under that key, the fast path sends it. When the entry ends (invalidated, expired, or its listener is
disconnected), the request goes through Flask again; entries are loaded and refreshed only there. Everything around
Flask happens in both cases: ids, log line, metrics, headers.
Switch: ``cache.local`` and ``cache.shared``; if both are off, there is no fast path. Measured:
``loadtests/benchmarks/warm_screen.py``.
Source: Django's documentation, "The per-site cache": the middleware that answers before any view is called.
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shop.patterns.caching import CacheableResponse, CacheClient, CachePolicy
from shop.web.edge_headers import EdgeCaching
from shop.web.http_caching import BrowserCaching, Headers
from shop.web.prefetch import PrefetchRules

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BYTES = 3_000_000
"""Memory for the remembered URLs of one process, about 4,000 of them. A client that invents query strings evicts older
URLs; the longer its URLs are, the fewer fit."""
MAX_URL_BYTES = 2_048
"""Limit for path, query, key and tags of one URL together; a longer one never takes the fast path."""
OVERHEAD_BYTES = 600
"""Memory of the objects that hold one URL, without their texts."""


@dataclass(frozen=True, slots=True)
class CachedAddress:
    """The cache entry that a URL was answered from."""

    route: str
    """The template of the route, for the metrics."""
    key: str
    policy: CachePolicy
    tags: tuple[str, ...]
    content_type: str


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """A whole response, ready to be sent."""

    route: str
    status: str
    headers: Headers
    body: bytes


class CachedResponseFastPath:
    """Answers requests from the cache without Flask.

    Args:
        cache: read only; the fast path loads nothing.
        browser: makes the caching headers for browsers.
        edge: makes the caching headers for the edge.
        prefetch: the rules that pages name.
    """

    def __init__(self, cache: CacheClient, browser: BrowserCaching, edge: EdgeCaching, prefetch: PrefetchRules) -> None:
        self._cache = cache
        self._browser = browser
        self._edge = edge
        self._prefetch = prefetch
        self._addresses: dict[tuple[str, str], CachedAddress] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def learn(self, environ: "WSGIEnvironment", route: str, cacheable: CacheableResponse, content_type: str) -> None:
        """Remember the cache entry that the request being served was answered from, if there is one."""
        if cacheable.key is None:
            return
        url = (environ["PATH_INFO"], environ["QUERY_STRING"])
        address = CachedAddress(route, cacheable.key, cacheable.policy, cacheable.tags, content_type)
        size = _size(url, address)
        if size - OVERHEAD_BYTES > MAX_URL_BYTES:
            return
        with self._lock:
            self._forget(url)
            while self._addresses and self._bytes + size > MAX_BYTES:
                self._forget(next(iter(self._addresses)))
            self._addresses[url] = address
            self._bytes += size

    def answer(self, environ: "WSGIEnvironment") -> CachedAnswer | None:
        """Return the response to a request, or ``None`` if the request must go through Flask."""
        address = self._addresses.get((environ["PATH_INFO"], environ["QUERY_STRING"]))
        if address is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return None
        entry = self._cache.peek(address.key, address.policy, address.tags)
        if entry is None:
            return None
        validator = self._prefetch.validator(entry.digest, address.content_type)
        headers = self._browser.headers(address.policy, validator)
        headers += self._prefetch.headers(address.content_type)
        headers += self._edge.headers(environ, address.policy, tuple(address.tags))
        if_none_match = None if self._edge.needs_full_body(environ) else environ.get("HTTP_IF_NONE_MATCH")
        if self._browser.is_not_modified(if_none_match, validator):
            return CachedAnswer(address.route, "304 Not Modified", headers, b"")
        headers += (("Content-Type", address.content_type), ("Content-Length", str(len(entry.value))))
        return CachedAnswer(
            address.route, "200 OK", headers, b"" if environ["REQUEST_METHOD"] == "HEAD" else entry.value
        )

    def __contains__(self, url: object) -> bool:
        """Return whether a URL, given as path and query, is remembered."""
        return url in self._addresses

    def __len__(self) -> int:
        """Return the number of remembered URLs."""
        return len(self._addresses)

    def _forget(self, url: tuple[str, str]) -> None:
        address = self._addresses.pop(url, None)
        if address is not None:
            self._bytes -= _size(url, address)


def _size(url: tuple[str, str], address: CachedAddress) -> int:
    """Return about how many bytes of memory a remembered URL takes."""
    return OVERHEAD_BYTES + sum(map(len, url)) + len(address.key) + sum(map(len, address.tags))
