"""Cursors of keyset pagination: the start of a page is a position in the order, not a number of rows to skip.

Problem: ``OFFSET n`` reads and discards n rows, and shows a row twice when another row is inserted before it.
Method: keyset pagination. A cursor holds the sort order, and the sort key and the id of the row at the end of a page.
The next page is read from an index: the rows after that position. The id breaks ties, so the order is total. A row
that keeps its sort key is shown exactly once, whatever is inserted or deleted. A row whose sort key changes between two
pages may be shown twice or not at all. A cursor holds nothing secret and each field is validated, so it needs no
signature.
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
SortKey = int | float | str
KeyCheck = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class PageCursor:
    """A position in an ordered list."""

    sort: str
    key: SortKey
    id: int
    backward: bool = False
    """True for the page before the position, false for the page after it."""


def encode(cursor: PageCursor) -> str:
    """Return a cursor as an opaque text that needs no escaping in a URL."""
    fields = [cursor.sort, cursor.key, cursor.id, int(cursor.backward)]
    return base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(text: str, sort: str, is_valid_key: KeyCheck) -> PageCursor:
    """Return the cursor that :func:`encode` has written.

    Args:
        text: the encoded cursor.
        sort: the sort order of the list.
        is_valid_key: tells whether a value can be a sort key of that order.

    Raises:
        InvalidFields: the text is no cursor, or it belongs to another sort order.
    """
    fields = _decode_json(text)
    match fields:
        case [str(cursor_sort), int() | float() | str() as key, int(number), 0 | 1 as backward] if (
            cursor_sort == sort and is_valid_key(key) and not isinstance(number, bool) and 0 <= number <= MAX_ID
        ):
            return PageCursor(sort, key, number, bool(backward))
    raise InvalidFields("That is not a cursor of this list.", errors={"cursor": "not a cursor of this list"})


def _decode_json(text: str) -> object:
    if len(text) > MAX_LENGTH or not text.isascii():
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None


def integer_up_to(limit: int) -> KeyCheck:
    """Return a check for integer keys between 0 and ``limit``."""
    return lambda key: type(key) is int and 0 <= key <= limit


def is_finite_number(key: object) -> bool:
    """Tell whether a key is a finite number."""
    return type(key) in (int, float) and math.isfinite(key)  # type: ignore[arg-type]
