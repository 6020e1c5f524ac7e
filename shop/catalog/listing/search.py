"""Full-text search that tolerates incomplete and misspelled words.

Problem: people type half words and misspelled words; ``LIKE '%word%'`` reads the whole table and finds neither.
Method: PostgreSQL's full-text search over a stored, indexed vector (title before brand before description). The last
word also matches as a prefix, because the shopper may still be typing it. A compound such as `wi-fi` is split into its
words in texts and in queries. Accents do not count: texts and queries use one text search configuration, which removes
the accents of a word (``unaccent``) before it finds the stem. A word that the catalogue does not know is replaced by
the nearest known word: a trigram index finds the candidates, and the edit distance decides. Ranking reads every match,
so it is bounded: of more than :data:`DEPTH` matches, only the most popular are ranked.
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
from shop.catalog.listing.spelling import choose_corrections, unknown_words
from shop.catalog.models import ENGLISH, OFFERED, SEPARATORS, Product
from shop.catalog.text_normalisation import normalise_line

MAX_LENGTH = 200
"""The most characters of a query; the rest is ignored."""
DEPTH = 5_000
"""The most matches that are ranked."""
CONFIGURATION: ColumnElement[Any] = literal_column(f"'{ENGLISH}'::regconfig")
START, STOP, SEAM = "\ue000", "\ue001", "\ue002"
"""Marks around a match, and around the separator of a compound, until the text is escaped. They are private-use
characters, so no title contains them."""
SHORT = 2
"""Letters of a part that many texts contain: the parts of a compound with such a part must be adjacent."""
_LETTER = r"[^\W_]"
_WORD = re.compile(f"{_LETTER}+")
_COMPOUND = re.compile(f"{_LETTER}+(?:[{re.escape(SEPARATORS)}\u2010\u2011]{_LETTER}+)*")
_OPERATORS = re.compile(r'"|(?<!\S)-(?=\w)|(?<!\S)or(?!\S)', re.IGNORECASE)


def normalise(text: str) -> str:
    """Return a query in the normal form of the searched texts, cut off at :data:`MAX_LENGTH`."""
    return normalise_line(text[:MAX_LENGTH])[:MAX_LENGTH].rstrip()  # normalisation can lengthen a text


def correct_spelling(session: Session, text: str) -> str:
    """Replace each word that the catalogue does not know by the nearest known word; 1 or 2 queries.

    Call it only for a query without a match. A word without a near known word stays.
    """
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))
    corrections = choose_corrections(unknown_words(session, words))
    return _WORD.sub(lambda word: corrections.get(word[0].lower(), word[0]), text)


def ranked_matches(text: str, category_ids: Sequence[int]) -> CTE:
    """Return id and score of the ranked matches."""
    candidates = matching_ids(text, category_ids).limit(DEPTH).subquery("candidates")
    score = func.ts_rank(Product.search, text_query(text)) * (1 + func.ln(1 + Product.popularity) / 10)
    return (
        select(Product.id, cast(score, Float(53)).label("score"))
        .join(candidates, candidates.c.id == Product.id)
        .cte("matches")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )


def matching_ids(text: str, category_ids: Sequence[int]) -> AnySelect:
    """Select the ids of all matches, the most popular first."""
    return (
        select(Product.id)
        .where(Product.search.bool_op("@@")(text_query(text)), Product.category_id.in_(category_ids), OFFERED)
        .order_by(Product.popularity.desc(), Product.id)
    )


def highlights(text: str) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """Return the title and a fragment of the description with marked matches; computed for the page's rows only."""
    marks = f"StartSel={START}, StopSel={STOP}"
    query = text_query(text)
    return (
        func.ts_headline(
            CONFIGURATION, _split_compounds(Product.title), query, literal(f"{marks}, HighlightAll=true", Text)
        ).label("title_marked"),
        func.ts_headline(
            CONFIGURATION,
            _split_compounds(Product.description),
            any_word_query(text),
            literal(f"{marks}, MaxWords=28, MinWords=14, MaxFragments=1", Text),
        ).label("description_marked"),
    )


def highlight_html(marked: str) -> str:
    """Escape a marked text as HTML, then replace its marks by ``<mark>``."""
    joined = marked.replace(f" {SEAM}", "").replace(f"{SEAM} ", "").replace(SEAM, "")
    return str(escape(joined)).replace(START, "<mark>").replace(STOP, "</mark>")


def text_query(text: str) -> ColumnElement[Any]:
    """Build a query for all words of a text; the last word also matches as a prefix."""
    terms = [_WORD.findall(term) for term in _COMPOUND.findall(text)]
    if not terms or _OPERATORS.search(text):  # the shopper has typed operators of a search engine
        return func.websearch_to_tsquery(CONFIGURATION, literal(_websearch_text(text), Text))
    *head, last = terms
    complete, incomplete = (
        func.to_tsquery(CONFIGURATION, literal(" & ".join([*map(_term, head), _term(last, suffix)]), Text))
        for suffix in ("", ":*")
    )
    return complete.op("||")(incomplete).self_group()


def any_word_query(text: str) -> ColumnElement[Any]:
    """Build a query for any word of a text; the last word also matches as a prefix.

    It selects the fragment of a description. A match may have one word in the description and another in the title;
    with a query for all words, ``ts_headline`` would find no fragment and return the first words.
    """
    words = _WORD.findall(text)
    if not words or _OPERATORS.search(text):
        return text_query(text)
    return func.to_tsquery(CONFIGURATION, literal(" | ".join([*words, f"{words[-1]}:*"]), Text))


def _term(parts: Sequence[str], suffix: str = "") -> str:
    """Return a word or a compound in the syntax of ``to_tsquery``.

    A compound matches all its parts, adjacent if one of them is short, or the parts as one word: `wi-fi` also matches
    `wifi`, and `salt/pepper` also matches salt and pepper.

    Args:
        parts: letters and digits only.
        suffix: ``:*`` if the last part is a prefix.
    """
    quoted = [f"'{part}'" for part in parts]
    quoted[-1] += suffix
    if len(parts) == 1:
        return quoted[0]
    separate = (" <-> " if min(map(len, parts)) <= SHORT else " & ").join(quoted)
    joined = "".join(parts)
    return f"({separate} | '{joined}'{suffix})" if joined.isalpha() else f"({separate})"


def _websearch_text(text: str) -> str:
    """Replace compounds by phrases, because ``websearch_to_tsquery`` would read a hyphen as an operator."""

    def to_phrase(quote: str, compound: re.Match[str]) -> str:
        parts = _WORD.findall(compound[0])
        return parts[0] if len(parts) == 1 else f"{quote}{' '.join(parts)}{quote}"

    pieces = text.split('"')
    for number, piece in enumerate(pieces):
        quote = "" if number % 2 else '"'  # every second piece is quoted already
        pieces[number] = _COMPOUND.sub(partial(to_phrase, quote), piece)
    return '"'.join(pieces)


def _split_compounds(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """Split compounds, so that each word can be marked; :func:`highlight_html` joins them again."""
    separator = f"(?<=[[:alnum:]])([{re.escape(SEPARATORS)}])(?=[[:alnum:]])"
    return func.regexp_replace(column, separator, f" {SEAM}\\1{SEAM} ", "g")
