"""One form for text that looks alike, at every way in: titles, brands, categories' names, descriptions, queries. Pure.

Problem: `é` is one character or two, and a blank may be one of twenty characters. Texts that look alike are then
different to the database: a brand's filter finds none of its products, and a search finds another word.
Method: text is composed (NFC), and what stands on one line has single, plain blanks and nothing invisible. Constraints
of the tables refuse what came in another way.
Source: Unicode Standard Annex 15 (NFC); RFC 8264, 7 (strings that are compared).
"""

import re
import unicodedata

_INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Soft hyphens, spaces without width and marks of direction; what joins letters or emoji is part of the text."""
_NO_LETTERS = frozenset({"Cc", "Cs", "Co"})
"""Controls, half characters and private characters: in a line they separate words at most."""


def composed(text: str) -> str:
    """Return a text in which each letter and its accents are one character, where there is one."""
    return unicodedata.normalize("NFC", text)


def one_line(text: str) -> str:
    """Return a text as it stands on one line: composed, with single blanks and without invisible characters."""
    seen = composed(_INVISIBLE.sub("", text))
    visible = "".join(" " if unicodedata.category(c) in _NO_LETTERS else c for c in seen)
    return " ".join(visible.split())
