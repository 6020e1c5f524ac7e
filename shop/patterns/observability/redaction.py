"""What must never reach a log: passwords, tokens, cookies, card data, and the passwords inside addresses."""

import re
from collections.abc import Mapping

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)|secret|token|cookie|authori[sz]ation|api_?key|card|cvc|cvv|iban|session|signature", re.I
)
_SECRET_TEXT = re.compile(
    r"(?P<before>://[^/\s:@]*:)[^@\s]+(?=@)"  # the password in postgresql://user:password@host
    r"|(?P<scheme>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]+"
    r"|\btok_\w+"
    r"|\$argon2\S+"
    r"|\b(?:\d[ -]?){12,18}\d\b",  # the shape of a card number
    re.I,
)


def redact(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields with every value that may be secret replaced, at any depth."""
    return {name: REDACTED if _SECRET_NAME.search(name) else _clean(value) for name, value in fields.items()}


def redact_text(text: str) -> str:
    """Return the text without the secrets that can be told by their shape."""
    return _SECRET_TEXT.sub(lambda found: (found["before"] or found["scheme"] or "") + REDACTED, text)


def _clean(value: object) -> object:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return redact({str(name): inner for name, inner in value.items()})
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(inner) for inner in value]
    return value
