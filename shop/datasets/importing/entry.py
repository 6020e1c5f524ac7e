"""One row of somebody's catalogue, checked. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from shop.catalog.models import MAX_PRICE
from shop.catalog.text_normalisation import normalise_line, to_nfc
from shop.datasets.slugs import slugify

COLUMNS = ("slug", "title", "brand", "category", "category_slug", "description", "price", "on_hand")
REQUIRED = ("title", "category", "price")
"""What a new product cannot be without."""
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


class RefusedRow(Exception):
    """A row that cannot be taken; the message says why, to the person whose file it is."""


@dataclass(frozen=True, slots=True)
class ImportEntry:
    """A row that can be taken. ``None``: the file does not say, so what is stored stays."""

    slug: str
    made: bool
    """Whether the slug was made from brand and title; only a given one names a product that is there."""
    title: str | None
    brand: str | None
    path: tuple[str, str] | None
    """The names of department and category."""
    path_slugs: tuple[str, str] | None
    description: str | None
    price: int | None
    """Cents."""
    on_hand: int | None


def check(fields: Mapping[str, Any]) -> ImportEntry:
    """Read one row: an absent field keeps what is stored, an empty one empties it.

    Args:
        fields: column name to text, as in :data:`COLUMNS`; JSON may give numbers too, and null for an empty field.

    Raises:
        RefusedRow: says which field is wrong, and what would be right.
    """
    texts = {name: _text(name, fields[name]) for name in COLUMNS if name in fields}
    _require(texts)
    price, on_hand = texts.get("price"), texts.get("on_hand")
    slug, made = _slug(texts)
    return ImportEntry(
        slug=slug,
        made=made,
        title=_bounded("title", texts.get("title"), MAX_TITLE),
        brand=UNBRANDED if texts.get("brand") == "" else _bounded("brand", texts.get("brand"), MAX_NAME),
        path=_path(texts["category"]) if texts.get("category") else None,
        path_slugs=_path_slugs(texts["category_slug"]) if texts.get("category_slug") else None,
        description=_bounded("description", texts.get("description"), MAX_DESCRIPTION),
        price=None if price is None else _price(price),
        on_hand=None if on_hand is None else _on_hand(on_hand),
    )


def _require(texts: Mapping[str, str]) -> None:
    """Refuse a row that empties what cannot be empty, or that names no product and cannot be a new one."""
    by_slug = bool(texts.get("category_slug"))
    for name in (*REQUIRED, "on_hand"):
        if texts.get(name) == "" and not (name == "category" and by_slug):
            instead = "write 0 for none" if name == "on_hand" else "a product needs one"
            raise RefusedRow(f"{name} is empty: {instead}; without the column, what is stored stays")
    if not texts.get("slug"):
        missing = [name for name in REQUIRED if name not in texts and not (name == "category" and by_slug)]
        if missing:
            raise RefusedRow(f"{missing[0]} is missing: a new product needs one, and a known one is named by its slug")


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise RefusedRow(f"{name} is neither text nor a number")
    text = str(value).strip()
    if UNDECODED.search(text):
        raise RefusedRow(f"{name} is not UTF-8: save the file in that encoding")
    if _SURROGATE.search(text):
        raise RefusedRow(f"{name} contains half a character (a surrogate that stands alone)")
    if name != "description" and _LINE_BREAK.search(text):
        raise RefusedRow(f"{name} goes over more than one line: is a quote missing?")
    if _CONTROL.search(text) or (name != "description" and "\t" in text):
        raise RefusedRow(f"{name} contains control characters")
    return to_nfc(text) if name == "description" else normalise_line(text)


def _bounded(name: str, text: str | None, most: int) -> str | None:
    if text is not None and len(text) > most:
        lines = text.count("\n") + 1
        where = f" on {lines:,} lines" if lines > 1 else ""
        raise RefusedRow(f"{name} has {len(text):,} characters{where}; {most:,} are the most")
    return text


def _slug(texts: Mapping[str, str]) -> tuple[str, bool]:
    made = not texts.get("slug")
    slug = slugify(f"{texts.get('brand', '')} {texts['title']}") if made else texts["slug"]
    if not slug:
        raise RefusedRow("no slug can be made from the title: give one")
    return _shaped("slug", slug), made


def _shaped(name: str, slug: str) -> str:
    if not _SLUG.fullmatch(slug) or len(slug) > MAX_TITLE:
        raise RefusedRow(f"{name} {slug[:60]!r} is not lower-case letters, digits and single hyphens")
    return slug


def _path(text: str) -> tuple[str, str]:
    department, category = _levels("category", text, "Department > Category")
    _bounded("department", department, MAX_NAME)
    _bounded("category", category, MAX_NAME)
    return department, category


def _path_slugs(text: str) -> tuple[str, str]:
    department, category = _levels("category_slug", text, "department-slug > category-slug")
    return _shaped("category_slug", department), _shaped("category_slug", category)


def _levels(name: str, text: str, form: str) -> tuple[str, str]:
    levels = [level.strip() for level in text.split(">")]
    if len(levels) != LEVELS or not all(levels):
        raise RefusedRow(f'{name} {text[:60]!r} is not of the form "{form}"')
    return levels[0], levels[1]


def _price(text: str) -> int:
    if not _PRICE.fullmatch(text):
        hint = "; write a point before the cents" if "," in text else ""
        raise RefusedRow(f"price {text[:30]!r} is not an amount in euros such as 12.99{hint}")
    try:
        cents = int(Decimal(text) * 100)
    except InvalidOperation:  # pragma: no cover - the pattern lets nothing else through
        raise RefusedRow(f"price {text[:30]!r} is not a number") from None
    if not 1 <= cents <= MAX_PRICE:
        raise RefusedRow(f"price {text} is not between 0.01 and {MAX_PRICE // 100:,}")
    return cents


def _on_hand(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:12]) > MAX_ON_HAND:
        raise RefusedRow(f"on_hand {text[:30]!r} is not a whole number from 0 to {MAX_ON_HAND:,}")
    return int(text)
