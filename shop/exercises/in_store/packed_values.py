"""A cached value together with the tags that its loader found, as the bytes that an attempt stores."""

import json
from typing import Any

from shop.exercises.short_text import shorten
from shop.patterns.caching.entry import TaggedValue, found_tags

SEPARATOR = b"\n"


def pack(value: bytes) -> bytes:
    """Return a loaded value in the form that the attempt gets."""
    return json.dumps(found_tags(value)).encode() + SEPARATOR + value


def unpack(packed: bytes) -> bytes:
    """Return the value that the attempt returned, with its tags.

    Raises:
        ValueError, TypeError: it has another form.
    """
    tags, _, value = packed.partition(SEPARATOR)
    found = json.loads(tags)
    if not isinstance(found, list):
        raise TypeError("no list of tags")
    return TaggedValue(value, found) if found else value


def packed_fault(value: Any) -> str:
    """Return what is wrong with a value that the attempt returned; empty if it fits."""
    if not isinstance(value, bytes):
        return f"{shorten(value)}, which is no value in bytes."
    try:
        unpack(value)
    except (ValueError, TypeError):
        return f"{shorten(value)}, which is neither what load() returned nor what the cache has."
    return ""
