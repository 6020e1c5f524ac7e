"""Slugs: the names in URLs. They are generated from titles, and validated before any look-up."""

import re
import unicodedata

from shop.errors import NotFound

MAX_LENGTH = 200
SLUG_PATTERN = r"[a-z0-9]+(?:-[a-z0-9]+)*"
GENERATED_LENGTH = 120
"""Characters; mail and chat programs cut off longer URLs."""
_SLUG = re.compile(SLUG_PATTERN)
_OTHER = re.compile(r"[^a-z0-9]+")
_DROPPED = str.maketrans({"'": None, "’": None, "ß": "ss", "æ": "ae", "ø": "o", "œ": "oe", "ł": "l"})


def validate_slug(slug: str) -> str:
    """Return the slug if it is well-formed.

    Raises:
        NotFound: the text is no slug, so no product or category can have it.
    """
    if not is_slug(slug):
        raise NotFound("There is no such thing.")
    return slug


def is_slug(text: str) -> bool:
    """Tell whether a text is a well-formed slug."""
    return len(text) <= MAX_LENGTH and bool(_SLUG.fullmatch(text))


def slugify(text: str) -> str:
    """Return a text as lower-case letters, digits and single hyphens; empty if no such character is left."""
    plain = text.lower().translate(_DROPPED)
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return _OTHER.sub("-", plain)[:GENERATED_LENGTH].strip("-")
