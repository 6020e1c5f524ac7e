"""Redaction: removes passwords, tokens, cookies, card data, and passwords within addresses from log lines."""

import re
from collections.abc import Mapping

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)|secret|token|cookie|authori[sz]ation|api_?key|card|cvc|cvv|iban|session|signature", re.I
)
# Every repetition is bounded or possessive ("+"), so matching takes linear time, also for hostile input. Otherwise
# twenty kilobytes of "://:" take three seconds.
_SECRET_TEXT = re.compile(
    r"(?P<before>://[^/\s:@]{0,255}+:)[^@\s]{1,512}+(?=@)"  # the password in postgresql://user:password@host
    r"|(?P<scheme>\b(?:Bearer|Basic)\s++)[A-Za-z0-9._~+/=-]++"
    r"|\btok_\w++"
    r"|\bshop_[\w-]{20,}+"  # the store's bearer token
    r"|(?<=\.\d{10}\.)[\w-]{43}(?![\w-])"  # the signature of a token of shop/web/signed_tokens.py
    r"|(?<![\w-])(?=[\w-]{0,42}(?-i:[A-Z]))(?=[\w-]{0,42}\d)[\w-]{43}(?![\w-])"  # 256 bits, such as a session's token
    r"|\$argon2\S++"
    r"|\b(?:\d[ -]?){12,18}\d\b",  # the shape of a card number
    re.I,
)


def redact(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields with every value that may be secret replaced, at any depth."""
    return {name: REDACTED if _SECRET_NAME.search(name) else _clean(value) for name, value in fields.items()}


def redact_text(text: str) -> str:
    """Return the text without secrets that have a recognisable form."""
    return _SECRET_TEXT.sub(lambda match: (match["before"] or match["scheme"] or "") + REDACTED, text)


def _clean(value: object) -> object:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return redact({str(name): inner for name, inner in value.items()})
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(inner) for inner in value]
    return value
