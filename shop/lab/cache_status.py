"""Reads from a response's status and ``Cache-Status`` header which layer answered (RFC 9211)."""

import re

_LAYERS = re.compile(r"shop-(edge|local|shared)\s*;\s*(hit)?")
LAYERS_OUTSIDE_IN = ("edge", "local", "shared")
NOT_MODIFIED = 304


def answer_source(status: int, cache_status: str) -> str:
    """Return the source of a response: ``browser``, ``edge``, ``local``, ``shared`` or ``origin``.

    A page may look up several entries. The look-up of the page itself comes last in the header, since RFC 9211 lists
    entries from the origin outwards; so the last entry of each layer counts.
    """
    if status == NOT_MODIFIED:
        return "browser"
    last = dict(lookups(cache_status))
    return next((layer for layer in LAYERS_OUTSIDE_IN if last.get(layer)), "origin")


def lookups(cache_status: str) -> list[tuple[str, str]]:
    """Return the look-ups in a ``Cache-Status`` header, in its order: the layer, and ``hit`` or an empty text."""
    entries: list[tuple[str, str]] = _LAYERS.findall(cache_status)
    return entries
