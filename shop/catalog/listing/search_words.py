"""The words of titles and brands, which the spelling mends typing errors against, kept up to date with each change."""

from sqlalchemy import Select, and_, delete, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.catalog.listing.spelling import LONGEST, SHORTEST
from shop.catalog.models import ENGLISH, OFFERED, PLAIN, SEPARATORS, Product, SearchWord


def learn(session: Session, product_id: int) -> None:
    """Let the spelling know the words of a product's title, so that a new one is not taken for a typing error."""
    words = _words_of(product_id).subquery()
    known = select(words.c.word, literal(1))
    session.execute(insert(SearchWord).from_select(["word", "products"], known).on_conflict_do_nothing())


def forget(session: Session, product_id: int) -> None:
    """Drop the words that no product that is sold has any more, so that nobody is led to what cannot be found."""
    words = _words_of(product_id).subquery()
    stem = func.plainto_tsquery(literal_column(f"'{ENGLISH}'::regconfig"), SearchWord.word)
    elsewhere = select(1).where(Product.search.bool_op("@@")(stem), OFFERED, Product.id != product_id).exists()
    nowhere = and_(SearchWord.word.in_(select(words.c.word)), func.numnode(stem) > 0, ~elsewhere)
    session.execute(delete(SearchWord).where(nowhere))


def _words_of(product_id: int) -> Select[str]:
    names = func.translate(func.concat_ws(" ", Product.title, Product.brand), SEPARATORS, " " * len(SEPARATORS))
    named = func.to_tsvector(literal_column(f"'{PLAIN}'::regconfig"), names)
    words = select(func.unnest(func.tsvector_to_array(named)).label("word")).where(Product.id == product_id).subquery()
    return select(words.c.word).where(
        func.length(words.c.word).between(SHORTEST, LONGEST), words.c.word.regexp_match("^[[:alpha:]]+$")
    )
