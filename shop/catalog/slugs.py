"""The shape of the names that stand in addresses, checked before anything is asked of a cache or a database."""

import re

from shop.errors import NotFound

MAX_LENGTH = 200
_SHAPE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def checked(slug: str) -> str:
    """Return a slug that could exist.

    Raises:
        NotFound: nothing can have this name, so nobody needs to look.
    """
    if len(slug) > MAX_LENGTH or not _SHAPE.fullmatch(slug):
        raise NotFound("There is no such thing.")
    return slug
