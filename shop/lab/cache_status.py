"""Reads from a response's status and ``Cache-Status`` header which layer answered, and how stale it is (RFC 9211)."""

import re

_LAYERS = re.compile(r"shop-(edge|local|shared)\s*;\s*(hit)?")
_DETAILS = re.compile(r"; detail=(stale-[a-z-]+)|shop-edge; hit; detail=(error|updating)")
STALE_BY_FAILURE = ("stale-if-error", "error")
"""The words of an answer that is stale because its source failed: in the application, or behind the edge."""
STALE_BY_RELOAD = ("stale-while-loading", "updating")
"""The words of an answer that is stale while another request loads the new one."""
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


def stale_word(cache_status: str) -> str:
    """Return the word with which a response says that it is stale; empty if it does not.

    Of several words, that of a failure counts: such a part is older.
    """
    if "detail=" not in cache_status:
        return ""
    words = {word for pair in _DETAILS.findall(cache_status) for word in pair}
    return next((word for word in (*STALE_BY_FAILURE, *STALE_BY_RELOAD) if word in words), "")


def lookups(cache_status: str) -> list[tuple[str, str]]:
    """Return the look-ups in a ``Cache-Status`` header, in its order: the layer, and ``hit`` or an empty text."""
    entries: list[tuple[str, str]] = _LAYERS.findall(cache_status)
    return entries
