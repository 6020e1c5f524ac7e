"""Who had the answer: read from what an answer says of itself."""

import re

_LAYERS = re.compile(r"shop-(edge|local|shared)\s*;\s*(hit)?")
LAYERS_OUTSIDE_IN = ("edge", "local", "shared")
NOT_MODIFIED = 304


def who_answered(status: int, cache_status: str) -> str:
    """Return who had the answer of a call: ``browser``, ``edge``, ``local``, ``shared`` or ``origin``.

    A page may look up several things; what it is kept as itself is looked up last to be told of, so each layer's last
    entry counts (RFC 9211 lists entries from the origin outwards).
    """
    if status == NOT_MODIFIED:
        return "browser"
    last = dict(lookups(cache_status))
    return next((layer for layer in LAYERS_OUTSIDE_IN if last.get(layer)), "origin")


def lookups(cache_status: str) -> list[tuple[str, str]]:
    """Return the look-ups a ``Cache-Status`` tells of, in its order: layer, and ``hit`` or nothing."""
    found: list[tuple[str, str]] = _LAYERS.findall(cache_status)
    return found
