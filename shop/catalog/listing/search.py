"""Full-text search that forgives typing.

Problem: people type half words and wrong words, and a ``LIKE '%word%'`` reads the whole table to find neither.
Method: PostgreSQL's own full text search over a stored, indexed vector (title before brand before description). The
last word also matches as the beginning of one, since it may still be under way. Words written together, as in `wi-fi`,
are words of their own on both sides. Accents count on neither: texts and queries go through one configuration of the
text search, which folds a word (``unaccent``) before it looks for its stem. A word the catalogue does not know is
mended to the nearest one it does know: candidates by trigram index, the choice by edit distance. Ranking reads every
match, so it is bounded: of more than :data:`DEPTH` matches, the most popular are ranked.
Source: PostgreSQL manual, ch. 12 and appendix F (pg_trgm, unaccent); Damerau, "A technique for computer detection and
correction of spelling errors", CACM 1964.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from markupsafe import escape
from sqlalchemy import CTE, ColumnElement, Float, Text, cast, func, literal, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shop.catalog.cards import AnySelect
from shop.catalog.listing.spelling import choose, unknown_words
from shop.catalog.models import ENGLISH, OFFERED, SEPARATORS, Product
from shop.catalog.text_forms import one_line

MAX_LENGTH = 200
"""Characters of a query that are looked at."""
DEPTH = 5_000
"""Matches ranked at most."""
CONFIGURATION: ColumnElement[Any] = literal_column(f"'{ENGLISH}'::regconfig")
START, STOP, SEAM = "\ue000", "\ue001", "\ue002"
"""Marks around a match, and around what stands between two words, while the text is escaped; private use, so no title
holds them."""
SHORT = 2
"""Letters of a part that is found everywhere: with one so short, words written together must stand side by side."""
_LETTER = r"[^\W_]"
_WORD = re.compile(f"{_LETTER}+")
_WRITTEN_TOGETHER = re.compile(f"{_LETTER}+(?:[{re.escape(SEPARATORS)}\u2010\u2011]{_LETTER}+)*")
_OPERATORS = re.compile(r'"|(?<!\S)-(?=\w)|(?<!\S)or(?!\S)', re.IGNORECASE)


def normalise(text: str) -> str:
    """Return a query in the form of the texts it is compared with, without what lies beyond :data:`MAX_LENGTH`."""
    return one_line(text[:MAX_LENGTH])[:MAX_LENGTH].rstrip()  # composing can lengthen a text, too


def correct_spelling(session: Session, text: str) -> str:
    """Replace each word the catalogue does not know by the nearest one it does; 1 or 2 queries.

    Only for a query that found nothing: one that found something has no word to mend. A word with nothing near it
    stays.
    """
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))
    repairs = choose(unknown_words(session, words))
    return _WORD.sub(lambda found: repairs.get(found[0].lower(), found[0]), text)


def matches(text: str, category_ids: Sequence[int]) -> CTE:
    """Return id and score of the matches that are ranked."""
    found = ids(text, category_ids).limit(DEPTH).subquery("candidates")
    score = func.ts_rank(Product.search, query(text)) * (1 + func.ln(1 + Product.popularity) / 10)
    return (
        select(Product.id, cast(score, Float(53)).label("score"))
        .join(found, found.c.id == Product.id)
        .cte("matches")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )


def ids(text: str, category_ids: Sequence[int]) -> AnySelect:
    """Select the ids of all matches, the most popular first."""
    return (
        select(Product.id)
        .where(Product.search.bool_op("@@")(query(text)), Product.category_id.in_(category_ids), OFFERED)
        .order_by(Product.popularity.desc(), Product.id)
    )


def highlights(text: str) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """Return title and a piece of the description with the matches marked; computed for the page's rows only."""
    marks = f"StartSel={START}, StopSel={STOP}"
    asked = query(text)
    return (
        func.ts_headline(
            CONFIGURATION, _apart(Product.title), asked, literal(f"{marks}, HighlightAll=true", Text)
        ).label("title_marked"),
        func.ts_headline(
            CONFIGURATION,
            _apart(Product.description),
            any_of(text),
            literal(f"{marks}, MaxWords=28, MinWords=14, MaxFragments=1", Text),
        ).label("description_marked"),
    )


def to_html(marked: str) -> str:
    """Escape everything, then turn the marks into ``<mark>``."""
    together = marked.replace(f" {SEAM}", "").replace(f"{SEAM} ", "").replace(SEAM, "")
    return str(escape(together)).replace(START, "<mark>").replace(STOP, "</mark>")


def query(text: str) -> ColumnElement[Any]:
    """Build the query: the whole words, or all but the last of them and the beginning of a word."""
    terms = [_WORD.findall(term) for term in _WRITTEN_TOGETHER.findall(text)]
    if not terms or _OPERATORS.search(text):  # somebody who writes operators means what they write
        return func.websearch_to_tsquery(CONFIGURATION, literal(_with_operators(text), Text))
    *head, last = terms
    whole, begun = (
        func.to_tsquery(CONFIGURATION, literal(" & ".join([*map(_term, head), _term(last, end)]), Text))
        for end in ("", ":*")
    )
    return whole.op("||")(begun).self_group()


def any_of(text: str) -> ColumnElement[Any]:
    """Build a query for one of the words, the last of them also as a beginning.

    It finds the piece of a description to show. A match may have one word here and another in the title; asked for all
    of them, ``ts_headline`` finds no such place and returns the first words.
    """
    words = _WORD.findall(text)
    if not words or _OPERATORS.search(text):
        return query(text)
    return func.to_tsquery(CONFIGURATION, literal(" | ".join([*words, f"{words[-1]}:*"]), Text))


def _term(parts: Sequence[str], end: str = "") -> str:
    """Write a word, or words written together, for ``to_tsquery``.

    Together they are all of them, next to one another where one is short, or one word: `wi-fi` is also `wifi`, and
    `salt/pepper` also salt and pepper.

    Args:
        parts: letters and digits only.
        end: ``:*`` where the last may be a beginning.
    """
    quoted = [f"'{part}'" for part in parts]
    quoted[-1] += end
    if len(parts) == 1:
        return quoted[0]
    apart = (" <-> " if min(map(len, parts)) <= SHORT else " & ").join(quoted)
    joined = "".join(parts)
    return f"({apart} | '{joined}'{end})" if joined.isalpha() else f"({apart})"


def _with_operators(text: str) -> str:
    """Write words written together as phrases, whose hyphens ``websearch_to_tsquery`` would read another way."""
    pieces = text.split('"')
    for number, piece in enumerate(pieces):
        mark = "" if number % 2 else '"'  # within quotes they are part of a phrase
        pieces[number] = _WRITTEN_TOGETHER.sub(partial(_phrase, mark), piece)
    return '"'.join(pieces)


def _phrase(mark: str, found: re.Match[str]) -> str:
    parts = _WORD.findall(found[0])
    return parts[0] if len(parts) == 1 else f"{mark}{' '.join(parts)}{mark}"


def _apart(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """Set words that are written together apart, so that each can be marked; :func:`to_html` joins them again."""
    within = f"(?<=[[:alnum:]])([{re.escape(SEPARATORS)}])(?=[[:alnum:]])"
    return func.regexp_replace(column, within, f" {SEAM}\\1{SEAM} ", "g")
