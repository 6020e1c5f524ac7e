"""Text from outside that must be stored in PostgreSQL, whatever its characters are. Pure.

PostgreSQL's text and JSON cannot contain a NUL or half a surrogate pair. A request with such a character is refused.
But a message of another server, or of an error, must not be lost because of one character.
"""

import re

MAX_LENGTH = 500
"""Characters of a message that people read in a list."""
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store a text unchanged."""
    return _NOT_STORABLE.search(text) is None


def storable(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return a text that PostgreSQL can store: shortened, and with U+FFFD for each character that it cannot store."""
    return _NOT_STORABLE.sub(_REPLACEMENT, text[:max_length])
