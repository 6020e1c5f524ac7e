"""Unicode normalisation of titles, brands, category names, descriptions and queries at every input. Pure.

Problem: `é` is one character or two, and a space may be one of twenty characters. Two texts that look the same are then
different in the database: the filter of a brand finds none of its products, and a search finds another word.
Method: each text is composed (NFC). A text of one line also has single, plain spaces and no invisible characters.
Constraints of the tables refuse any other form.
Source: Unicode Standard Annex 15 (NFC); RFC 8264, 7 (strings that are compared).
"""

import re
import unicodedata

_INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Soft hyphens, zero-width spaces and direction marks. Joiners of letters or emoji are part of the text."""
_NO_LETTERS = frozenset({"Cc", "Cs", "Co"})
"""Control characters, surrogates and private-use characters; one line has a space in their place."""


def to_nfc(text: str) -> str:
    """Return a text in Unicode's normal form C: a letter with its accents is one character, if there is one."""
    return unicodedata.normalize("NFC", text)


def normalise_line(text: str) -> str:
    """Return a text of one line: composed, with single spaces and without invisible characters."""
    composed = to_nfc(_INVISIBLE.sub("", text))
    visible = "".join(" " if unicodedata.category(c) in _NO_LETTERS else c for c in composed)
    return " ".join(visible.split())
