"""The name of a thing as it stands in an address."""

import re
import unicodedata

MAX_LENGTH = 120
"""Longer addresses get cut off in mails and chats."""
_OTHER = re.compile(r"[^a-z0-9]+")
_DROPPED = str.maketrans({"'": None, "’": None, "ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l"})


def slugify(text: str) -> str:
    """Return lower-case letters, digits and single hyphens; an empty string where nothing of that kind is left."""
    plain = text.lower().translate(_DROPPED)
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return _OTHER.sub("-", plain)[:MAX_LENGTH].strip("-")
