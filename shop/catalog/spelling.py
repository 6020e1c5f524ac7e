"""Which words of a query the catalogue does not know, and what was probably meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, ColumnElement, Text, and_, func, literal, literal_column, or_, select, true
from sqlalchemy.orm import Session

from shop.catalog.models import Product, SearchWord

MAX_WORDS = 8
"""Words of a query that are looked up; the rest stay as typed."""
SHORTEST = 3
"""Letters a word needs before a wrong one can be told from a right one."""
LONGEST = 40
"""Letters of a word that can be mended; longer ones are no words."""
CANDIDATES = 100
SAME_BEGINNING = 2
"""Letters that two swapped ones further on leave alone: a swap breaks three trigrams, too many in a short word."""
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A known word that shares trigrams with an unknown one, and how many products have it."""

    word: str
    products: int


def unknown_words(session: Session, words: Sequence[str]) -> Mapping[str, Sequence[Candidate]]:
    """Return the unknown ones of some lower-case words with the known words near them.

    A word is known if the catalogue has it, has a word that begins with it, or finds it by its stem.
    """
    asked = [word for word in words[:MAX_WORDS] if SHORTEST <= len(word) <= LONGEST and word.isalpha()]
    if not asked:
        return {}
    given = func.unnest(literal(asked, ARRAY(Text))).table_valued("word").render_derived("given")
    begins = and_(SearchWord.word >= given.c.word, SearchWord.word < given.c.word + LAST_CHARACTER)
    stem = func.plainto_tsquery(literal_column("'english'::regconfig"), given.c.word)
    known = or_(
        select(1).where(begins).correlate(given).exists(),
        func.numnode(stem) == 0,  # a stop word
        select(1).where(Product.search.bool_op("@@")(stem)).correlate(given).exists(),
    )
    near = (
        select(SearchWord.word, SearchWord.products)
        .where(or_(SearchWord.word.bool_op("%")(given.c.word), _begins_alike(given.c.word)))
        .order_by(func.similarity(SearchWord.word, given.c.word).desc(), SearchWord.products.desc(), SearchWord.word)
        .limit(CANDIDATES)
        .correlate(given)
        .lateral("near")
    )
    statement = select(given.c.word, near.c.word, near.c.products).select_from(given.join(near, true())).where(~known)
    found: dict[str, list[Candidate]] = {}
    for word, candidate, products in session.execute(statement):
        found.setdefault(word, []).append(Candidate(candidate, products))
    return found


def _begins_alike(word: ColumnElement[str]) -> ColumnElement[bool]:
    beginning = func.left(word, SAME_BEGINNING)
    return and_(
        SearchWord.word >= beginning,
        SearchWord.word < beginning + LAST_CHARACTER,
        func.abs(func.length(SearchWord.word) - func.length(word)) <= 1,
    )


def choose(unknown: Mapping[str, Sequence[Candidate]]) -> dict[str, str]:
    """Return each unknown word's repair, where one is near enough: the fewest edits, then the most products."""
    repairs = {}
    for word, candidates in unknown.items():
        near = [(distance(word, candidate.word), -candidate.products, candidate.word) for candidate in candidates]
        best = min(near, default=None)
        if best is not None and best[0] <= tolerance(word):
            repairs[word] = best[2]
    return repairs


def tolerance(word: str) -> int:
    """Return how many edits a word of this length forgives."""
    return 1 if len(word) <= 4 else 2 if len(word) <= 8 else 3


def distance(a: str, b: str) -> int:
    """Count the insertions, deletions, substitutions and swaps of neighbours between two words (Damerau 1964)."""
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, above = above, row
    return above[-1]
