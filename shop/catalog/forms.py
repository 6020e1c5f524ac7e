"""Parses the fields of the catalogue's forms, and words their errors."""

import re
from collections.abc import Mapping

from pydantic import ValidationError

from shop.money import MINOR_UNITS

_PRICE = re.compile(r"(\d{1,7})(?:[.,](\d{1,2}))?")


def minor_units(text: str) -> int | None:
    """Parse a typed price such as ``12.99`` or ``12,5`` to minor units; ``None`` if it is no price."""
    match = _PRICE.fullmatch(text.strip().removeprefix("€").strip())
    if not match:
        return None
    return int(match[1]) * MINOR_UNITS + int((match[2] or "0").ljust(2, "0"))


def whole_number(text: str) -> int | None:
    """Parse a number of pieces that the form has shown; ``None`` if it is no such number."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def number_or_text(text: str) -> int | str:
    """Parse a whole number; return any other text unchanged, so that it is refused together with the other fields."""
    number = whole_number(text.strip())
    return text if number is None else number


def unified_newlines(text: str) -> str:
    """Return a text whose line breaks are one character; browsers send two (HTML, 4.10.22)."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decimal(amount: int) -> str:
    """Return minor units as a decimal number."""
    return f"{amount // MINOR_UNITS}.{amount % MINOR_UNITS:02d}"


def field_errors(error: ValidationError, words: Mapping[str, str]) -> dict[str, str]:
    """Return the error message of each invalid field.

    Args:
        error: of the validation.
        words: messages for people, by field; a field without one gets the message of the validation.
    """
    messages = {str(detail["loc"][0]) if detail["loc"] else "form": detail["msg"] for detail in error.errors()}
    return {name: words.get(name, message) for name, message in messages.items()}
