"""The class of a request, from its first bytes: who is refused first when the store is overloaded.

Problem: at five times its capacity a store must refuse four of five requests. Drawn by lot, these are checkouts, too:
each lost one is money, and a lost page of a crawler is nothing.
Method: six classes, from the method, the path and four header fields. The class is found before the request is parsed,
because a refusal must cost far less than an answer. A client may pretend to be of a better class only by doing what
that class does: the path of a checkout is a checkout.
Switch: ``overload.shedding``.
Source: Google, "Site Reliability Engineering", ch. 21, "Handling Overload" (criticality); W3C, "Fetch Metadata", 2.5
(``Sec-Purpose``).
"""

import re
from enum import IntEnum

from shop.patterns.overload.speculative_request import is_prefetch_purpose


class RequestPriority(IntEnum):
    """The classes, the most important one first."""

    CHECKOUT = 0
    """Checkouts, the provider's notices about them, and the pages of those who run the store."""
    CART = 1
    """The cart."""
    SIGNED_IN = 2
    """Everything else that a signed-in customer requests."""
    BROWSE = 3
    """Everything else that anybody requests."""
    PASSWORD = 4
    """What hashes a password: log-ins, registrations, new passwords. Each takes as long as many pages. Limits of their
    own stand behind the queue, and their refusal says so."""
    SPECULATIVE = 5
    """What nobody looks at yet: prefetched pages, and those of a crawler."""

    @property
    def label(self) -> str:
        """Return the name as metrics and documents write it."""
        return self.name.lower().replace("_", "-")


_PATH = re.compile(rb"[A-Z]+ (?:https?://[^/ ]*)?(/[^ ?#]*)")
_PATHS = (
    (
        RequestPriority.CHECKOUT,
        re.compile(rb"(?:/api/v1)?/(?:checkout|admin|switches|faults)(?:/|$)|/(?:webhooks|lab|api/v1/lab)(?:/|$)"),
    ),
    (
        RequestPriority.CART,
        re.compile(rb"(?:/api/v1)?/cart(?:/|$)"),
    ),
)
_PASSWORD = re.compile(
    rb"/(?:login|register|reset|account/password"
    rb"|api/v1/(?:session|users|tokens|me/password|password-resets/confirm))/?$"
)
_PURPOSE = re.compile(rb"\r\nsec-purpose[ \t]*:([^\r\n]*)", re.IGNORECASE)
_CRAWLER = re.compile(rb"\r\nuser-agent[ \t]*:[^\r\n]*(?:bot\b|crawler|spider)", re.IGNORECASE)
_SIGNED_IN = re.compile(
    rb"\r\n(?:authorization[ \t]*:|cookie[ \t]*:(?:[^\r\n]*[; \t])?(?:__Host-)?account=)", re.IGNORECASE
)


def classify(head: bytes) -> RequestPriority:
    """Return the class of a request.

    Args:
        head: its first bytes, as far as they have arrived. Fields that are missing count as not sent.
    """
    match = _PATH.match(head)
    path = match[1] if match else b""
    for priority, paths in _PATHS:
        if paths.match(path):
            return priority
    if head.startswith(b"POST ") and _PASSWORD.match(path):
        return RequestPriority.PASSWORD
    purpose = _PURPOSE.search(head)
    if (purpose and is_prefetch_purpose(purpose[1].decode("latin-1"))) or _CRAWLER.search(head):
        return RequestPriority.SPECULATIVE
    return RequestPriority.SIGNED_IN if _SIGNED_IN.search(head) else RequestPriority.BROWSE
