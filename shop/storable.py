"""Text from outside that has to be written down, whatever is in it. Pure.

PostgreSQL's text and JSON hold neither a NUL nor half a surrogate pair. Where a person or a program sends one, it is
refused; but what another server says, or an error quotes, must not be lost over a character.
"""

import re

MAX_LENGTH = 500
"""Of what a person reads in a list."""
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold a text as it is."""
    return _NOT_STORABLE.search(text) is None


def storable(text: str, max_length: int = MAX_LENGTH) -> str:
    """Return a text that PostgreSQL can hold: cut, and with U+FFFD for each character that it cannot."""
    return _NOT_STORABLE.sub(_REPLACEMENT, text[:max_length])
