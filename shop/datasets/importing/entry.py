"""One row of somebody's catalogue, checked. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from shop.catalog.models import MAX_PRICE
from shop.datasets.slugs import slugify

COLUMNS = ("slug", "title", "brand", "category", "description", "price", "on_hand")
REQUIRED = ("title", "category", "price")
UNBRANDED = "Unbranded"
LEVELS = 2
MAX_TITLE, MAX_NAME, MAX_DESCRIPTION = 200, 60, 10_000
"""Characters. Names of brands, departments and categories stand in menus, on one line of a phone or two."""
MAX_ON_HAND = 1_000_000
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PRICE = re.compile(r"\d{1,7}(\.\d{1,2})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINE_BREAK = re.compile("[\n\r\u2028\u2029]")
UNDECODED = re.compile("[\udc80-\udcff]")
"""What bytes that are not UTF-8 are read as (PEP 383)."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can spell one half of a pair alone; UTF-8 cannot (RFC 8259, 8.2)."""


class Refused(Exception):
    """A row that cannot be taken; the message says why, to the person whose file it is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that can be taken."""

    slug: str
    title: str
    brand: str
    department: str
    category: str
    description: str
    price: int
    """Cents."""
    on_hand: int | None
    """``None`` where the file does not say: what is there stays."""


def check(fields: Mapping[str, Any]) -> Entry:
    """Read one row.

    Args:
        fields: column name to text, as in :data:`COLUMNS`; JSON may give numbers too.

    Raises:
        Refused: says which field is wrong, and what would be right.
    """
    texts = {name: _text(name, fields.get(name)) for name in COLUMNS}
    missing = [name for name in REQUIRED if not texts[name]]
    if missing:
        raise Refused(f"{missing[0]} is missing")
    department, category = _path(texts["category"])
    _bound("title", texts["title"], MAX_TITLE)
    _bound("brand", texts["brand"], MAX_NAME)
    _bound("department", department, MAX_NAME)
    _bound("category", category, MAX_NAME)
    _bound("description", texts["description"], MAX_DESCRIPTION)
    return Entry(
        slug=_slug(texts),
        title=texts["title"],
        brand=texts["brand"] or UNBRANDED,
        department=department,
        category=category,
        description=texts["description"],
        price=_price(texts["price"]),
        on_hand=_on_hand(texts["on_hand"]),
    )


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise Refused(f"{name} is neither text nor a number")
    text = str(value).strip()
    if UNDECODED.search(text):
        raise Refused(f"{name} is not UTF-8: save the file in that encoding")
    if _SURROGATE.search(text):
        raise Refused(f"{name} contains half a character (a surrogate that stands alone)")
    if name != "description" and _LINE_BREAK.search(text):
        raise Refused(f"{name} goes over more than one line: is a quote missing?")
    if _CONTROL.search(text) or (name != "description" and "\t" in text):
        raise Refused(f"{name} contains control characters")
    return text


def _bound(name: str, text: str, most: int) -> None:
    if len(text) > most:
        lines = text.count("\n") + 1
        where = f" on {lines:,} lines" if lines > 1 else ""
        raise Refused(f"{name} has {len(text):,} characters{where}; {most:,} are the most")


def _slug(texts: Mapping[str, str]) -> str:
    slug = texts["slug"] or slugify(f"{texts['brand']} {texts['title']}")
    if not slug:
        raise Refused("no slug can be made from the title: give one")
    if not _SLUG.fullmatch(slug) or len(slug) > MAX_TITLE:
        raise Refused(f"slug {slug[:60]!r} is not lower-case letters, digits and single hyphens")
    return slug


def _path(text: str) -> tuple[str, str]:
    levels = [level.strip() for level in text.split(">")]
    if len(levels) != LEVELS or not all(slugify(level) for level in levels):
        raise Refused(f'category {text[:60]!r} is not of the form "Department > Category"')
    return levels[0], levels[1]


def _price(text: str) -> int:
    if not _PRICE.fullmatch(text):
        hint = "; write a point before the cents" if "," in text else ""
        raise Refused(f"price {text[:30]!r} is not an amount in euros such as 12.99{hint}")
    try:
        cents = int(Decimal(text) * 100)
    except InvalidOperation:  # pragma: no cover - the pattern lets nothing else through
        raise Refused(f"price {text[:30]!r} is not a number") from None
    if not 1 <= cents <= MAX_PRICE:
        raise Refused(f"price {text} is not between 0.01 and {MAX_PRICE // 100:,}")
    return cents


def _on_hand(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text[:12]) > MAX_ON_HAND:
        raise Refused(f"on_hand {text[:30]!r} is not a whole number from 0 to {MAX_ON_HAND:,}")
    return int(text)
