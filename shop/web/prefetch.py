"""Prefetch: the browser requests a product's page while the pointer rests on its link, before the click.

Problem: a click is followed by a wait for the network and the server, although the pointer rested on the link before.
Method: public pages carry the header ``Speculation-Rules``, which names a file of rules. A browser that knows such
rules requests the page of a link that its user is likely to open. It waits for that page after the click only if the
page is not there yet. The rules name the links that may be requested, and no others: a product's page reads, and writes
nothing. Each such request says ``Sec-Purpose: prefetch``. It is counted as a class of its own, since nobody waits for
it, and an overloaded store may refuse it first.

The header belongs to the validator: a browser that revalidates its copy keeps the copy's headers (RFC 9111, 3.2), so
without a new validator the rules would stay after the switch was turned off.
Switch: ``web.prefetch``. Experiment: ``prefetch-load``. Measured: ``loadtests/benchmarks/prefetch_navigation.py``.
Source: the HTML Standard, "Speculative loading" (the rules, their header, ``eagerness``); the Fetch Standard
(``Sec-Purpose``); RFC 9111, 3.2 (updating stored headers).
"""

from typing import TYPE_CHECKING

from shop.patterns.observability.request_record import PREFETCH, USE
from shop.patterns.overload.speculative_request import is_prefetch_purpose
from shop.web.http_caching import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

RULES_FILE = "prefetch/product-links.speculationrules"
"""Below the static files. The Content-Security-Policy refuses rules inside a page."""
RULES_HEADER = "Speculation-Rules"
_PURPOSE_VARIABLE = "HTTP_SEC_PURPOSE"
_PAGES = "text/html"


class PrefetchRules:
    """The rules that public pages name.

    Args:
        rules_path: path of the file of rules; empty if no page names any (the switch is off).
    """

    def __init__(self, rules_path: str = "") -> None:
        self._headers = ((RULES_HEADER, f'"{rules_path}"'),) if rules_path else ()

    def headers(self, content_type: str) -> Headers:
        """Return the header that names the rules; none for a response that is not a page."""
        return list(self._headers) if content_type.startswith(_PAGES) else []

    def validator(self, body_digest: str, content_type: str) -> str:
        """Return the validator of a response: the digest of its body, marked if the response names rules."""
        return f"{body_digest}-{PREFETCH}" if self.headers(content_type) else body_digest


def request_purpose(environ: "WSGIEnvironment") -> str:
    """Return the purpose of a request, as its record has it: ``prefetch``, or ``use`` for every other one."""
    return PREFETCH if is_prefetch_purpose(environ.get(_PURPOSE_VARIABLE, "")) else USE
