"""Where a page of a list begins: the place of its neighbour in the order, not a number of rows to skip.

Problem: ``OFFSET n`` reads and throws away n rows, and shows a row twice when another is inserted before it.
Method: keyset pagination. A cursor holds the sort, the sort key and the id of the row at the edge of a page; the next
page is everything beyond it in the same order, found by index. The id breaks ties, so the order is total. What keeps
its sort key is shown exactly once, whatever comes and goes; what gets another one between two pages may be shown twice
or not at all. A cursor holds nothing secret and is checked field by field, so it needs no signature.
Source: Winand, "SQL Performance Explained", ch. 7, "Paging through results".
"""

import base64
import binascii
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

from shop.errors import InvalidFields

MAX_LENGTH = 200
MAX_ID = 2**63 - 1
Key = int | float | str
Check = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class PageCursor:
    """A place in an ordered list."""

    sort: str
    key: Key
    id: int
    backward: bool = False
    """Whether the page before the place is meant, not the one after it."""


def encode(cursor: PageCursor) -> str:
    """Write a cursor as an opaque word that needs no escaping in an address."""
    fields = [cursor.sort, cursor.key, cursor.id, int(cursor.backward)]
    return base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(text: str, sort: str, fits: Check) -> PageCursor:
    """Read a cursor that :func:`encode` has written.

    Args:
        text: as it came.
        sort: the order of the list it must belong to.
        fits: whether a value can be a key of that order.

    Raises:
        InvalidFields: it was not written here, or for another order.
    """
    fields = _fields(text)
    match fields:
        case [str(of), int() | float() | str() as key, int(number), 0 | 1 as backward] if (
            of == sort and fits(key) and not isinstance(number, bool) and 0 <= number <= MAX_ID
        ):
            return PageCursor(sort, key, number, bool(backward))
    raise InvalidFields("That is not a cursor of this list.", errors={"cursor": "not a cursor of this list"})


def _fields(text: str) -> object:
    if len(text) > MAX_LENGTH or not text.isascii():
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None


def whole(limit: int) -> Check:
    """Return the check for whole keys between 0 and ``limit``."""
    return lambda key: type(key) is int and 0 <= key <= limit


def finite(key: object) -> bool:
    """Tell whether a key is a number that can be compared."""
    return type(key) in (int, float) and math.isfinite(key)  # type: ignore[arg-type]
