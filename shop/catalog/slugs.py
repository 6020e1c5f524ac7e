"""The names that stand in addresses: made of a title, and checked before a cache or a database is asked."""

import re
import unicodedata

from shop.errors import NotFound

MAX_LENGTH = 200
SHAPE = r"[a-z0-9]+(?:-[a-z0-9]+)*"
MADE_LENGTH = 120
"""Longer addresses get cut off in mails and chats."""
_SHAPE = re.compile(SHAPE)
_OTHER = re.compile(r"[^a-z0-9]+")
_DROPPED = str.maketrans({"'": None, "’": None, "ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l"})


def validate_slug(slug: str) -> str:
    """Return a slug that could exist.

    Raises:
        NotFound: nothing can have this name, so nobody needs to look.
    """
    if not is_slug(slug):
        raise NotFound("There is no such thing.")
    return slug


def is_slug(text: str) -> bool:
    """Tell whether a text has the shape of a slug."""
    return len(text) <= MAX_LENGTH and bool(_SHAPE.fullmatch(text))


def slugify(text: str) -> str:
    """Return lower-case letters, digits and single hyphens; an empty string where nothing of that kind is left."""
    plain = text.lower().translate(_DROPPED)
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return _OTHER.sub("-", plain)[:MADE_LENGTH].strip("-")
