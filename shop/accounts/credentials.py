"""The rules for an account's fields. Pure: no database, no request."""

import re
from typing import Any

from shop.accounts.password_policy import password_error
from shop.email_address import EMAIL_MAX, canonical_email, clean_email
from shop.errors import InvalidFields

__all__ = ["EMAIL_MAX", "NAME_MAX", "NAME_PATTERN", "clean_email", "clean_name", "clean_registration"]

NAME_MAX = 100
NAME_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
"""At least one visible character, and no control characters."""
NO_NUL_SCHEMA: dict[str, Any] = {"pattern": r"^[^\x00]*$"}
"""Only documents the rule in the OpenAPI schema: the store refuses a NUL in any request before it reads the fields."""


def clean_name(name: str) -> tuple[str, str | None]:
    """Collapse the blanks of a name; return it with an error message, or with ``None`` if it is valid."""
    name = " ".join(name.split())
    if len(name) > NAME_MAX or not re.fullmatch(NAME_PATTERN, name):
        return name, f"Enter a name of 1 to {NAME_MAX} characters."
    return name, None


def is_same_email(typed: str, stored: str) -> bool:
    """Return whether a typed email, in any spelling, is the stored email of an account."""
    return canonical_email(typed) == stored


def clean_registration(email: str, password: str, name: str) -> tuple[str, str]:
    """Check all fields of a registration at once.

    Returns:
        The email and the name in the spelling to store.

    Raises:
        InvalidFields: has one message for each wrong field.
    """
    errors: dict[str, str] = {}
    try:
        email = clean_email(email)
    except InvalidFields as invalid:
        errors |= invalid.errors
    name, error = clean_name(name)
    if error is not None:
        errors["name"] = error
    if (error := password_error(password, email)) is not None:
        errors["password"] = error
    if errors:
        raise InvalidFields("Some fields are not right.", errors=errors)
    return email, name
