"""Conditions a client puts on its write: change this only if it still is what I have seen.

Problem: two clients read a product, both change it, and the second write undoes the first in silence.
Method: a read carries a strong validator (``ETag``), a write sends it back (``If-Match``). The write is done only if
the validator of what is stored now is among those sent; else it is refused with 412 and nothing is changed. The
comparison must happen under the lock the write holds, or a third write fits in between.
Source: RFC 9110, 13.1.1 (If-Match), 8.8.3.2 (strong comparison), 13.2.1 (when a condition counts).
"""

import re
from dataclasses import dataclass

from shop.errors import BadRequest

_ITEM = re.compile(r'(?P<weak>W/)?"(?P<opaque>[\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,[ \t,]*|$)')
"""One entity tag of a list, with the comma behind it; empty members are skipped (RFC 9110, 5.6.1 and 8.8.3)."""
_UNREADABLE = 'If-Match takes entity tags in double quotes, such as "5d41402a", separated by commas; or * alone.'


@dataclass(frozen=True, slots=True)
class IfMatch:
    """The condition of an ``If-Match`` header.

    Args:
        strong: the entity tags that can match. A weak one never does: it does not say that every byte is the same.
        anything: whether the header was ``*``: whatever is there, as long as there is something.
    """

    strong: frozenset[str]
    anything: bool = False

    @classmethod
    def parse(cls, header: str | None) -> "IfMatch | None":
        """Read the header; ``None`` where the request has none.

        Raises:
            BadRequest: it is neither a list of entity tags nor ``*``.
        """
        if header is None:
            return None
        text = header.strip(" \t")
        if text == "*":
            return cls(frozenset(), anything=True)
        place, strong = len(text) - len(text.lstrip(" \t,")), set()
        if place == len(text):
            raise BadRequest(_UNREADABLE)
        while place < len(text):
            found = _ITEM.match(text, place)
            if found is None:
                raise BadRequest(_UNREADABLE)
            if not found["weak"]:
                strong.add(found["opaque"])
            place = found.end()
        return cls(frozenset(strong))

    def allows(self, opaque: str) -> bool:
        """Tell whether the write may be done on a representation with this validator, given without its quotes."""
        return self.anything or opaque in self.strong
