"""Browser caching: a browser keeps a public response and asks whether it has changed (ETag revalidation).

Problem: a shopper who returns to a page is sent all of it again.
Method: every public response carries a validator (``ETag``), the digest of its bytes. A browser that has the page sends
the validator back (``If-None-Match``) and receives 304, which costs no body, no query and no template. The TTL class
says how long the browser may use the response without asking. No invalidation reaches a browser, so for content that an
editor can change it asks each time. The validator is weak: the edge sends the same response plain and compressed, and a
304 must name the validator of its 200.
Switch: ``cache.browser``. Experiment: ``cache-layers``.
Source: RFC 9110, 8.8.1, 13.1.2 and 15.4.5 (weak validators, If-None-Match, 304); RFC 9111, 5.2 (Cache-Control).
"""

import re
from typing import Protocol

from shop.patterns.caching import CachePolicy

Headers = list[tuple[str, str]]

NO_STORE = "no-store"
"""No cache stores the response, not even the browser's."""
REVALIDATE = "no-cache"
"""Any cache may store the response, but must ask before each use: the next request sees an edit."""
_VALIDATOR = re.compile(r'"([^"]*)"')


class BrowserCaching(Protocol):
    """The caching headers for browsers, and the comparison of validators."""

    def headers(self, policy: CachePolicy, body_digest: str) -> Headers:
        """Return the headers for the lifetime and the validator of a response."""

    def is_not_modified(self, if_none_match: str | None, body_digest: str) -> bool:
        """Return whether the browser has this very response."""


class EtagRevalidation:
    """Browsers store public responses and revalidate them."""

    def headers(self, policy: CachePolicy, body_digest: str) -> Headers:
        """Return ``Cache-Control`` and ``ETag``."""
        return [("Cache-Control", cache_control(policy)), ("ETag", f'W/"{body_digest}"')]

    def is_not_modified(self, if_none_match: str | None, body_digest: str) -> bool:
        """Compare the validators weakly (RFC 9110, 13.1.2)."""
        if if_none_match is None:
            return False
        return if_none_match.strip() == "*" or body_digest in _VALIDATOR.findall(if_none_match)


class NoBrowserCaching:
    """Browsers store nothing."""

    def headers(self, policy: CachePolicy, body_digest: str) -> Headers:
        """Return ``Cache-Control: no-store``."""
        return [("Cache-Control", NO_STORE)]

    def is_not_modified(self, if_none_match: str | None, body_digest: str) -> bool:
        """Return ``False``: the response is always sent."""
        return False


def cache_control(policy: CachePolicy) -> str:
    """Return the value of ``Cache-Control`` for a TTL class."""
    if not policy.ttl_s:
        return NO_STORE
    if policy.private:
        return f"private, {REVALIDATE}"
    return f"public, max-age={policy.browser_s}" if policy.browser_s else REVALIDATE
