"""Preconditions of a write (``If-Match``): change a resource only if it has not changed since the client read it.

Problem: two clients read a product, both change it, and the second write silently overwrites the first (lost update).
Method: a read returns a strong validator (``ETag``), and a write sends it back (``If-Match``). The write is done only
if the current validator is among those sent; otherwise it is refused with 412 and changes nothing. The comparison must
happen under the lock of the write, or a third write could happen in between.
Source: RFC 9110, 13.1.1 (If-Match), 8.8.3.2 (strong comparison), 13.2.1 (when a condition counts).
"""

import re
from dataclasses import dataclass

from shop.errors import BadRequest

_ITEM = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,[ \t,]*|$)')
"""One entity tag of a list, with the comma after it; empty members are skipped (RFC 9110, 5.6.1 and 8.8.3)."""
_UNREADABLE = 'If-Match takes entity tags in double quotes, such as "5d41402a", separated by commas; or * alone.'


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The condition of an ``If-Match`` header.

    Args:
        strong: the entity tags that can match. A weak tag never matches: it does not promise the same bytes.
        anything: whether the header was ``*``, which matches any existing resource.
    """

    strong: frozenset[str]
    anything: bool = False

    @classmethod
    def parse(cls, header: str | None) -> "IfMatch | None":
        """Parse the header; ``None`` if the request has none.

        Raises:
            BadRequest: the header is neither a list of entity tags nor ``*``.
        """
        if header is None:
            return None
        text = header.strip(" \t")
        if text == "*":
            return cls(frozenset(), anything=True)
        position, strong = len(text) - len(text.lstrip(" \t,")), set()
        if position == len(text):
            raise BadRequest(_UNREADABLE)
        while position < len(text):
            item = _ITEM.match(text, position)
            if item is None:
                raise BadRequest(_UNREADABLE)
            if not item["weak"]:
                strong.add(item["opaque"])
            position = item.end()
        return cls(frozenset(strong))

    def allows(self, opaque: str) -> bool:
        """Return whether the write may change a resource with this validator, given without its quotes."""
        return self.anything or opaque in self.strong
