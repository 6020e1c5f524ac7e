"""Spelling correction: finds the unknown words of a query, and chooses the most likely known word for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    ARRAY,
    Text,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session

from shop.catalog.edit_distance import edit_distance, max_distance
from shop.catalog.models import ENGLISH, OFFERED, Product, SearchWord

MAX_WORDS = 8
"""The most words of a query that are looked up; the other words stay as typed."""
SHORTEST = 3
"""The fewest letters of a word that can be corrected; a shorter word is too ambiguous."""
LONGEST = 40
"""The most letters of a word that can be corrected; a longer text is no word."""
CANDIDATES = 100
"""The most candidates for an unknown word."""
SAME_BEGINNING = 2
"""Letters that must be the same when later letters are swapped: a swap changes three trigrams, too many in a short
word."""
VERY_SHORT = 5
"""Up to this number of letters only the first letter must be the same: a swap may change every trigram."""
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class SpellingCandidate:
    """A known word that shares trigrams with an unknown word, and the number of its products."""

    word: str
    products: int


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """An unknown word of a query, without accents, and the known words that are candidates for it."""

    folded: str
    candidates: list[SpellingCandidate] = field(default_factory=list)


def unknown_words(session: Session, words: Sequence[str]) -> Mapping[str, UnknownWord]:
    """Return the unknown ones of some lower-case words with their candidates; 1 or 2 queries.

    A word is known if a title or brand has the word or a word with this prefix, or if any text has its stem.
    """
    long_enough = [word for word in words[:MAX_WORDS] if SHORTEST <= len(word) <= LONGEST and word.isalpha()]
    candidates = _find_candidates(session, long_enough) if long_enough else {}
    known = _words_in_texts(session, list(candidates)) if candidates else frozenset()
    return {word: unknown for word, unknown in candidates.items() if word not in known}


def _find_candidates(session: Session, words: Sequence[str]) -> dict[str, UnknownWord]:
    typed = func.unnest(literal(list(words), ARRAY(Text))).table_valued("word").render_derived("typed")
    folded = func.lower(func.unaccent(typed.c.word)).label("folded")
    typed_words = select(typed.c.word, folded).cte("typed_words").prefix_with("MATERIALIZED", dialect="postgresql")
    folded_word = typed_words.c.folded
    has_prefix = and_(SearchWord.word >= folded_word, SearchWord.word < folded_word + LAST_CHARACTER)
    beginning = func.left(folded_word, case((func.length(folded_word) <= VERY_SHORT, 1), else_=SAME_BEGINNING))
    begins_alike = and_(
        SearchWord.word >= beginning,
        SearchWord.word < beginning + LAST_CHARACTER,
        func.abs(func.length(SearchWord.word) - func.length(folded_word)) <= 1,
    )
    near = (
        select(SearchWord.word, SearchWord.products)
        .where(or_(SearchWord.word.bool_op("%")(folded_word), begins_alike))
        .order_by(func.similarity(SearchWord.word, folded_word).desc(), SearchWord.products.desc(), SearchWord.word)
        .limit(CANDIDATES)
        .correlate(typed_words)
        .lateral("near")
    )
    statement = (
        select(typed_words.c.word, folded_word, near.c.word, near.c.products)
        .select_from(typed_words.join(near, true()))
        .where(~select(1).where(has_prefix).correlate(typed_words).exists())
    )
    unknown: dict[str, UnknownWord] = {}
    for word, without_accents, candidate, products in session.execute(statement):
        unknown.setdefault(word, UnknownWord(without_accents)).candidates.append(SpellingCandidate(candidate, products))
    return unknown


def _words_in_texts(session: Session, words: Sequence[str]) -> frozenset[str]:
    """Return the words that occur in the text of a product on sale, and the stop words."""
    selects = []
    for number, word in enumerate(words):
        stem = func.plainto_tsquery(literal_column(f"'{ENGLISH}'::regconfig"), literal(word, Text))
        # MATERIALIZED makes PostgreSQL plan a complete read by index. A plain EXISTS is planned as a table scan up to
        # the first match, and a rare word has no match.
        texts = (
            select(literal(1).label("hit")).where(Product.search.bool_op("@@")(stem), OFFERED).cte(f"texts_{number}")
        )
        texts = texts.prefix_with("MATERIALIZED", dialect="postgresql")
        selects.append(select(literal(word, Text)).where(or_(func.numnode(stem) == 0, select(texts).exists())))
    return frozenset(session.scalars(union_all(*selects)))


def choose_corrections(unknown: Mapping[str, UnknownWord]) -> dict[str, str]:
    """Return each unknown word's correction, if a candidate is near enough.

    The smallest edit distance wins; among equal distances, the word with the most products wins.
    """
    corrections = {}
    for word, row in unknown.items():
        near = [(edit_distance(row.folded, known.word), -known.products, known.word) for known in row.candidates]
        likely = [entry for entry in near if entry[0] <= max_distance(max(len(row.folded), len(entry[2])))]
        if likely:
            corrections[word] = min(likely)[2]
    return corrections
