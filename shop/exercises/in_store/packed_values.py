"""A cached value together with the tags that its loader found, as the bytes that an attempt stores."""

import json
from typing import Any

from shop.exercises.short_text import shorten
from shop.patterns.caching.entry import TaggedValue, found_tags

SEPARATOR = b"\n"


def pack(value: bytes, expires_at: float = 0.0) -> bytes:
    """Return a loaded value in the form that the attempt gets.

    Args:
        value: as it was loaded.
        expires_at: when the entry is to expire, in seconds of the machine's clock.
    """
    return json.dumps({"tags": found_tags(value), "expires_at": expires_at}).encode() + SEPARATOR + value


def unpack(packed: bytes) -> bytes:
    """Return the value that the attempt returned, with its tags.

    Raises:
        ValueError, TypeError: it has another form.
    """
    header, value = _split(packed)
    return TaggedValue(value, header["tags"]) if header["tags"] else value


def expiry_of(packed: bytes) -> float:
    """Return when the entry of a value was to expire; 0 if that is not known.

    Raises:
        ValueError, TypeError: it has another form.
    """
    return float(_split(packed)[0].get("expires_at", 0))


def _split(packed: bytes) -> tuple[dict[str, Any], bytes]:
    text, _, value = packed.partition(SEPARATOR)
    header = json.loads(text)
    if isinstance(header, list):  # an entry that an older release stored
        header = {"tags": header}
    if not isinstance(header, dict) or not isinstance(header.get("tags"), list):
        raise TypeError("no list of tags")
    return header, value


def packed_fault(value: Any) -> str:
    """Return what is wrong with a value that the attempt returned; empty if it fits."""
    if not isinstance(value, bytes):
        return f"{shorten(value)}, which is no value in bytes."
    try:
        unpack(value)
    except (ValueError, TypeError):
        return f"{shorten(value)}, which is neither what load() returned nor what the cache has."
    return ""
