"""What is stored under a key: one line of JSON that says how to judge the value, then the value's own bytes.

Never pickle: whoever can write to the cache could then run code here. A version in the header lets two releases share
one cache; what this release cannot read is a miss, not an error.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

VERSION = 1
_END_OF_HEADER = b"\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored value and what it was stored with."""

    value: bytes
    expires: float
    """Unix time in seconds after which it is not served, whatever the level that keeps it says."""
    versions: tuple[str, ...]
    """How its tags stood before the value was loaded, in the order of the tags."""


def encode(entry: Entry) -> bytes:
    """Write an entry as the bytes a level stores."""
    header = {"v": VERSION, "expires": round(entry.expires, 3), "tags": entry.versions}
    return json.dumps(header, separators=(",", ":")).encode() + _END_OF_HEADER + entry.value


def decode(stored: bytes) -> Entry | None:
    """Read what a level stored; ``None`` for anything this release did not write in this shape."""
    header, found, value = stored.partition(_END_OF_HEADER)
    if not found:
        return None
    try:
        read = json.loads(header)
        if read["v"] != VERSION:
            return None
        return Entry(value, float(read["expires"]), _texts(read["tags"]))
    except (ValueError, TypeError, KeyError):
        return None


def _texts(found: Sequence[object]) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(version, str) for version in found):
        raise TypeError("tag versions are a list of texts")
    return tuple(found)
