"""Which words of a query the catalogue does not know, and what was probably meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    ARRAY,
    ColumnElement,
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

from shop.catalog.models import ENGLISH, OFFERED, Product, SearchWord
from shop.catalog.typing_errors import tolerance, typing_cost

MAX_WORDS = 8
"""Words of a query that are looked up; the rest stay as typed."""
SHORTEST = 3
"""Letters a word needs before a wrong one can be told from a right one."""
LONGEST = 40
"""Letters of a word that can be mended; longer ones are no words."""
CANDIDATES = 100
SAME_BEGINNING = 2
"""Letters that two swapped ones further on leave alone: a swap breaks three trigrams, too many in a short word."""
VERY_SHORT = 5
"""Letters of a word of which a swap may leave the first letter alone and no trigram beside it."""
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class SpellingCandidate:
    """A known word that shares trigrams with an unknown one, and how many products have it."""

    word: str
    products: int


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """A word of a query as the known words are written, without accents, and those of them that are near."""

    folded: str
    near: list[SpellingCandidate] = field(default_factory=list)


def unknown_words(session: Session, words: Sequence[str]) -> Mapping[str, UnknownWord]:
    """Return the unknown ones of some lower-case words with the known words near them; 1 or 2 queries.

    A word is known if a title or brand has it, or a word that begins with it, or if any text has it by its stem.
    """
    asked = [word for word in words[:MAX_WORDS] if SHORTEST <= len(word) <= LONGEST and word.isalpha()]
    candidates = _candidates(session, asked) if asked else {}
    described = _in_texts(session, list(candidates)) if candidates else frozenset()
    return {word: near for word, near in candidates.items() if word not in described}


def _candidates(session: Session, words: Sequence[str]) -> dict[str, UnknownWord]:
    typed = func.unnest(literal(list(words), ARRAY(Text))).table_valued("word").render_derived("typed")
    folded = func.lower(func.unaccent(typed.c.word)).label("folded")
    given = select(typed.c.word, folded).cte("given").prefix_with("MATERIALIZED", dialect="postgresql")
    begins = and_(SearchWord.word >= given.c.folded, SearchWord.word < given.c.folded + LAST_CHARACTER)
    near = (
        select(SearchWord.word, SearchWord.products)
        .where(or_(SearchWord.word.bool_op("%")(given.c.folded), _begins_alike(given.c.folded)))
        .order_by(func.similarity(SearchWord.word, given.c.folded).desc(), SearchWord.products.desc(), SearchWord.word)
        .limit(CANDIDATES)
        .correlate(given)
        .lateral("near")
    )
    statement = (
        select(given.c.word, given.c.folded, near.c.word, near.c.products)
        .select_from(given.join(near, true()))
        .where(~select(1).where(begins).correlate(given).exists())
    )
    found: dict[str, UnknownWord] = {}
    for word, without_accents, candidate, products in session.execute(statement):
        found.setdefault(word, UnknownWord(without_accents)).near.append(SpellingCandidate(candidate, products))
    return found


def _in_texts(session: Session, words: Sequence[str]) -> frozenset[str]:
    """Return the words that occur in a product's text, or that every text may have."""
    asked = []
    for number, word in enumerate(words):
        stem = func.plainto_tsquery(literal_column(f"'{ENGLISH}'::regconfig"), literal(word, Text))
        # Materialised, so it is planned to be read whole, by index; a bare EXISTS is planned to read the table until
        # the first match, and a rare word has none.
        texts = (
            select(literal(1).label("hit")).where(Product.search.bool_op("@@")(stem), OFFERED).cte(f"texts_{number}")
        )
        texts = texts.prefix_with("MATERIALIZED", dialect="postgresql")
        asked.append(select(literal(word, Text)).where(or_(func.numnode(stem) == 0, select(texts).exists())))
    return frozenset(session.scalars(union_all(*asked)))


def _begins_alike(word: ColumnElement[str]) -> ColumnElement[bool]:
    beginning = func.left(word, case((func.length(word) <= VERY_SHORT, 1), else_=SAME_BEGINNING))
    return and_(
        SearchWord.word >= beginning,
        SearchWord.word < beginning + LAST_CHARACTER,
        func.abs(func.length(SearchWord.word) - func.length(word)) <= 1,
    )


def choose(unknown: Mapping[str, UnknownWord]) -> dict[str, str]:
    """Return each unknown word's repair, where one is near enough: the likeliest error, then the most products."""
    repairs = {}
    for word, asked in unknown.items():
        near = [(typing_cost(asked.folded, known.word), -known.products, known.word) for known in asked.near]
        likely = [one for one in near if one[0] <= tolerance(max(len(asked.folded), len(one[2])))]
        if likely:
            repairs[word] = min(likely)[2]
    return repairs
