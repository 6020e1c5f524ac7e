"""Full-text search that forgives typing.

Problem: people type half words and wrong words, and a ``LIKE '%word%'`` reads the whole table to find neither.
Method: PostgreSQL's own full text search over a stored, indexed vector (title before brand before description). The
last word also matches as the beginning of one, since it may still be under way. A word the catalogue does not know is
mended to the nearest one it does know: candidates by trigram index, the choice by edit distance. Ranking reads every
match, so it is bounded: of more than :data:`DEPTH` matches, the most popular are ranked.
Source: PostgreSQL manual, ch. 12 and F.35 (pg_trgm); Damerau, "A technique for computer detection and correction of
spelling errors", CACM 1964.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from markupsafe import escape
from sqlalchemy import CTE, ColumnElement, Float, Text, cast, func, literal, literal_column, select
from sqlalchemy.orm import Session

from shop.catalog.cards import AnySelect
from shop.catalog.models import OFFERED, Product
from shop.catalog.spelling import choose, unknown_words

MAX_LENGTH = 200
"""Characters of a query that are looked at."""
DEPTH = 5_000
"""Matches ranked at most."""
ENGLISH: ColumnElement[Any] = literal_column("'english'::regconfig")
START, STOP = "\ue000", "\ue001"
"""Marks around a match while the text around them is escaped; private use, so no product's text holds them."""
_WORD = re.compile(r"\w+")
_OPERATORS = re.compile(r'["\-]|\bor\b', re.IGNORECASE)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def tidy(text: str) -> str:
    """Return a query without control characters, doubled spaces and what lies beyond :data:`MAX_LENGTH`."""
    visible = "".join(" " if unicodedata.category(c) in _UNSEEN else c for c in text[:MAX_LENGTH])
    return " ".join(visible.split())


def mend(session: Session, text: str) -> str:
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
        func.ts_headline(ENGLISH, Product.title, asked, literal(f"{marks}, HighlightAll=true", Text)).label(
            "title_marked"
        ),
        func.ts_headline(
            ENGLISH,
            Product.description,
            any_of(text),
            literal(f"{marks}, MaxWords=28, MinWords=14, MaxFragments=1", Text),
        ).label("description_marked"),
    )


def to_html(marked: str) -> str:
    """Escape everything, then turn the marks into ``<mark>``."""
    return str(escape(marked)).replace(START, "<mark>").replace(STOP, "</mark>")


def query(text: str) -> ColumnElement[Any]:
    """Build the query: the whole words, or all but the last of them and the beginning of a word."""
    words = _WORD.findall(text)
    whole = func.websearch_to_tsquery(ENGLISH, literal(text, Text))
    if not words or _OPERATORS.search(text):  # somebody who writes operators means what they write
        return whole
    head = func.websearch_to_tsquery(ENGLISH, literal(" ".join(words[:-1]), Text))
    begun = func.to_tsquery(ENGLISH, literal(f"{words[-1]}:*", Text))
    return whole.op("||")(head.op("&&")(begun)).self_group()


def any_of(text: str) -> ColumnElement[Any]:
    """Build a query for one of the words, the last of them also as a beginning.

    It finds the piece of a description to show. A match may have one word here and another in the title; asked for all
    of them, ``ts_headline`` finds no such place and returns the first words.
    """
    words = _WORD.findall(text)
    if not words or _OPERATORS.search(text):
        return query(text)
    return func.to_tsquery(ENGLISH, literal(" | ".join([*words, f"{words[-1]}:*"]), Text))
