"""Browser caching: public answers are kept by whoever asked for them, who then only asks whether they have changed.

Problem: a shopper who comes back to a page is sent all of it again.
Method: every public answer carries a validator, the digest of its bytes (``ETag``). A browser that has the page sends
it along (``If-None-Match``) and is told 304 without a body, a query or a template. How long it may go without asking
depends on the TTL class: no invalidation reaches a browser, so what an editor can change is asked about each time. The
validator is weak: the edge sends the same answer plain and compressed, and a 304 must name the validator its 200 had.
Switch: ``cache.browser``. Experiment: ``cache-layers``.
Source: RFC 9110, 8.8.1, 13.1.2 and 15.4.5 (weak validators, If-None-Match, 304); RFC 9111, 5.2 (Cache-Control).
"""

import re
from typing import Protocol

from shop.patterns.caching import CachePolicy

Headers = list[tuple[str, str]]

NO_STORE = "no-store"
"""No cache stores the answer, not even the browser's."""
REVALIDATE = "no-cache"
"""Anyone may keep the answer, nobody may use it unasked: an edit is seen by the next request."""
_VALIDATOR = re.compile(r'"([^"]*)"')


class BrowserCaching(Protocol):
    """What browsers are told, and whether they already have it."""

    def headers(self, policy: CachePolicy, found_digest: str) -> Headers:
        """Return the headers that say how long the answer may be used, and how to ask for it again."""

    def is_not_modified(self, if_none_match: str | None, found_digest: str) -> bool:
        """Tell whether the browser holds this very answer."""


class EtagCaching:
    """Browsers keep what they were sent, and ask whether it still holds."""

    def headers(self, policy: CachePolicy, found_digest: str) -> Headers:
        """Return lifetime and validator."""
        return [("Cache-Control", cache_control(policy)), ("ETag", f'W/"{found_digest}"')]

    def is_not_modified(self, if_none_match: str | None, found_digest: str) -> bool:
        """Compare weakly, as RFC 9110 (13.1.2) asks."""
        if if_none_match is None:
            return False
        return if_none_match.strip() == "*" or found_digest in _VALIDATOR.findall(if_none_match)


class NoBrowserCaching:
    """Browsers keep nothing."""

    def headers(self, policy: CachePolicy, found_digest: str) -> Headers:
        """Forbid to keep it."""
        return [("Cache-Control", NO_STORE)]

    def is_not_modified(self, if_none_match: str | None, found_digest: str) -> bool:
        """Send it again, whatever the browser holds."""
        return False


def cache_control(policy: CachePolicy) -> str:
    """Write a TTL class as what a browser is told."""
    if not policy.ttl_s:
        return NO_STORE
    if policy.private:
        return f"private, {REVALIDATE}"
    return f"public, max-age={policy.browser_s}" if policy.browser_s else REVALIDATE
