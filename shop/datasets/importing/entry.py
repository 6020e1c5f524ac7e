"""The check of one row of an imported catalogue. Pure."""

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
"""The fields that a new product needs."""
UNBRANDED = "Unbranded"
LEVELS = 2
MAX_TITLE, MAX_NAME, MAX_DESCRIPTION = 200, 60, 10_000
"""Characters. Names of brands, departments and categories must fit a menu: one or two lines on a phone."""
MAX_ON_HAND = 1_000_000
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PRICE = re.compile(r"\d{1,7}(\.\d{1,2})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINE_BREAK = re.compile("[\n\r\u2028\u2029]")
UNDECODED = re.compile("[\udc80-\udcff]")
"""The characters that Python decodes from bytes that are not UTF-8 (PEP 383)."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can encode one half of a surrogate pair alone; UTF-8 cannot (RFC 8259, 8.2)."""


class RefusedRow(Exception):
    """A row that cannot be imported. The message gives the reason to the owner of the file."""


@dataclass(frozen=True, slots=True)
class ImportEntry:
    """A row that can be imported. ``None`` means a column that the file does not have: the stored value stays."""

    slug: str
    is_slug_generated: bool
    """Whether the slug was made from brand and title. Only a slug of the file identifies an existing product."""
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
    """Check one row. An absent field keeps the stored value; an empty field deletes it.

    Args:
        fields: column name to text, as in :data:`COLUMNS`; JSON may also have numbers, and null for an empty field.

    Raises:
        RefusedRow: names the wrong field and says what is valid.
    """
    texts = {name: _checked_text(name, fields[name]) for name in COLUMNS if name in fields}
    _require_fields(texts)
    is_slug_generated = not texts.get("slug")
    slug = slugify(f"{texts.get('brand', '')} {texts['title']}") if is_slug_generated else texts["slug"]
    if not slug:
        raise RefusedRow("no slug can be made from the title: give one")
    _check_slug("slug", slug)
    title = _bounded("title", texts.get("title"), MAX_TITLE)
    brand = UNBRANDED if texts.get("brand") == "" else _bounded("brand", texts.get("brand"), MAX_NAME)
    path = path_slugs = None
    if category := texts.get("category"):
        path = _levels("category", category, "Department > Category")
        for name, level in zip(("department", "category"), path, strict=True):
            _bounded(name, level, MAX_NAME)
    if category_slug := texts.get("category_slug"):
        path_slugs = _levels("category_slug", category_slug, "department-slug > category-slug")
        for level in path_slugs:
            _check_slug("category_slug", level)
    description = _bounded("description", texts.get("description"), MAX_DESCRIPTION)
    price = _cents(texts["price"]) if "price" in texts else None
    on_hand = texts.get("on_hand")
    if on_hand is not None and not (on_hand.isascii() and on_hand.isdigit() and int(on_hand[:12]) <= MAX_ON_HAND):
        raise RefusedRow(f"on_hand {on_hand[:30]!r} is not a whole number from 0 to {MAX_ON_HAND:,}")
    pieces = int(on_hand) if on_hand is not None else None
    return ImportEntry(slug, is_slug_generated, title, brand, path, path_slugs, description, price, pieces)


def _require_fields(texts: Mapping[str, str]) -> None:
    """Refuse a row that has an empty required field, or that has neither a slug nor all fields of a new product."""
    has_category_slug = bool(texts.get("category_slug"))
    for name in (*REQUIRED, "on_hand"):
        if texts.get(name) == "" and not (name == "category" and has_category_slug):
            remedy = "write 0 for none" if name == "on_hand" else "a product needs one"
            raise RefusedRow(f"{name} is empty: {remedy}; without the column, the stored value stays")
    if not texts.get("slug"):
        missing = [name for name in REQUIRED if name not in texts and not (name == "category" and has_category_slug)]
        if missing:
            raise RefusedRow(f"{missing[0]} is missing: a new product needs one, and a known one is named by its slug")


def _checked_text(name: str, value: object) -> str:
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


def _bounded(name: str, text: str | None, limit: int) -> str | None:
    if text is not None and len(text) > limit:
        lines = text.count("\n") + 1
        on_lines = f" on {lines:,} lines" if lines > 1 else ""
        raise RefusedRow(f"{name} has {len(text):,} characters{on_lines}; the limit is {limit:,}")
    return text


def _check_slug(name: str, slug: str) -> None:
    if not _SLUG.fullmatch(slug) or len(slug) > MAX_TITLE:
        raise RefusedRow(f"{name} {slug[:60]!r} is not lower-case letters, digits and single hyphens")


def _levels(name: str, text: str, form: str) -> tuple[str, str]:
    levels = [level.strip() for level in text.split(">")]
    if len(levels) != LEVELS or not all(levels):
        raise RefusedRow(f'{name} {text[:60]!r} is not of the form "{form}"')
    return levels[0], levels[1]


def _cents(text: str) -> int:
    if not _PRICE.fullmatch(text):
        hint = "; write a point before the cents" if "," in text else ""
        raise RefusedRow(f"price {text[:30]!r} is not an amount in euros such as 12.99{hint}")
    try:
        cents = int(Decimal(text) * 100)
    except InvalidOperation:  # pragma: no cover - the pattern allows only numbers
        raise RefusedRow(f"price {text[:30]!r} is not a number") from None
    if not 1 <= cents <= MAX_PRICE:
        raise RefusedRow(f"price {text} is not between 0.01 and {MAX_PRICE // 100:,}")
    return cents
