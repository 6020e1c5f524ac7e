"""What people typed into the catalogue's forms, read or explained."""

import re
from collections.abc import Mapping

from pydantic import ValidationError

from shop.money import MINOR_UNITS

_PRICE = re.compile(r"(\d{1,7})(?:[.,](\d{1,2}))?")


def minor_units(text: str) -> int | None:
    """Read a price as people write it, ``12.99`` or ``12,5``, as minor units; ``None`` if it is none."""
    found = _PRICE.fullmatch(text.strip().removeprefix("€").strip())
    if not found:
        return None
    return int(found[1]) * MINOR_UNITS + int((found[2] or "0").ljust(2, "0"))


def whole_number(text: str) -> int | None:
    """Read what the form itself wrote; ``None`` if it is no number of pieces."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def number_or_text(text: str) -> int | str:
    """Return a form's whole number as one, and anything else as it was typed, to be refused with the other fields."""
    number = whole_number(text.strip())
    return text if number is None else number


def unified_newlines(text: str) -> str:
    """Return a text with one character a line break: browsers send two, whatever was in the page (HTML, 4.10.22)."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decimal(amount: int) -> str:
    """Write minor units as people type them."""
    return f"{amount // MINOR_UNITS}.{amount % MINOR_UNITS:02d}"


def field_errors(error: ValidationError, words: Mapping[str, str]) -> dict[str, str]:
    """Return field name to what is wrong with it, in words for people where there are some."""
    found = {str(fault["loc"][0]) if fault["loc"] else "form": fault["msg"] for fault in error.errors()}
    return {name: words.get(name, message) for name, message in found.items()}
