"""The rules for an account's fields. Pure: no database, no request."""

import re
from typing import Any

from shop.accounts.password_policy import password_error
from shop.email_address import EMAIL_MAX, clean_email, kept_spelling
from shop.errors import InvalidFields

__all__ = ["EMAIL_MAX", "NAME_MAX", "NAME_PATTERN", "clean_email", "clean_name", "clean_registration", "kept_spelling"]

NAME_MAX = 100
NAME_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
"""At least one visible character, and no control characters."""
NO_NUL_SCHEMA: dict[str, Any] = {"pattern": r"^[^\x00]*$"}
"""Only documents the rule in the OpenAPI schema: the store refuses a NUL in any request before it reads the fields."""


def clean_name(name: str) -> tuple[str, str | None]:
    """Return a name as it is kept, with single blanks, and one sentence if it is none."""
    name = " ".join(name.split())
    if len(name) > NAME_MAX or not re.fullmatch(NAME_PATTERN, name):
        return name, f"Enter a name of 1 to {NAME_MAX} characters."
    return name, None


def is_same_email(typed: str, kept: str) -> bool:
    """Tell whether an address, spelled in any way, is the one an account is kept under."""
    return kept_spelling(typed) == kept


def clean_registration(email: str, password: str, name: str) -> tuple[str, str]:
    """Check all fields of a registration at once.

    Returns:
        The email and the name as they are to be kept.

    Raises:
        InvalidFields: with one sentence for each field that is wrong.
    """
    errors: dict[str, str] = {}
    try:
        email = clean_email(email)
    except InvalidFields as refusal:
        errors |= refusal.errors
    name, fault = clean_name(name)
    if fault is not None:
        errors["name"] = fault
    if (fault := password_error(password, email)) is not None:
        errors["password"] = fault
    if errors:
        raise InvalidFields("Some fields are not right.", errors=errors)
    return email, name
