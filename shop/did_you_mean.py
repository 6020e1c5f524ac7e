"""The suggestion behind "Did you mean ...?" for an unknown name. Pure."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

MAX_LISTED = 10
"""Names that fit into one sentence."""


def did_you_mean(name: str, known: Mapping[str, object], synonyms: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return a suggestion for an unknown name, as a sentence that begins with a blank.

    Args:
        name: the unknown name.
        known: the names that exist.
        synonyms: other words for some of them.

    Returns:
        `` Did you mean X?`` if a known name is close, or is the only one with this part, as in ``cache.edge`` for
        ``edge``. Otherwise all known names, or an empty text if they are many.
    """
    whole = [one for one in known if name.lower() in one.split(".")]
    if len(whole) == 1:
        return f" Did you mean {whole[0]}?"
    near = difflib.get_close_matches(name.lower(), [*known, *synonyms], n=1)
    if near:
        return f" Did you mean {synonyms.get(near[0], near[0])}?"
    return f" There are {', '.join(known)}." if len(known) <= MAX_LISTED else ""
