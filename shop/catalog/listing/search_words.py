"""The known words of titles and brands, with which the spelling correction works; each product change updates them."""

from sqlalchemy import Select, and_, delete, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.catalog.listing.spelling import LONGEST, SHORTEST
from shop.catalog.models import ENGLISH, OFFERED, PLAIN, SEPARATORS, Product, SearchWord


def add_words(session: Session, product_id: int) -> None:
    """Add the words of a product's title and brand, so that the correction does not replace them."""
    words = _words_of(product_id).subquery()
    rows = select(words.c.word, literal(1))
    session.execute(insert(SearchWord).from_select(["word", "products"], rows).on_conflict_do_nothing())


def remove_words(session: Session, product_id: int) -> None:
    """Remove those words of a product that no product on sale has, so that no correction leads to an empty result."""
    words = _words_of(product_id).subquery()
    stem = func.plainto_tsquery(literal_column(f"'{ENGLISH}'::regconfig"), SearchWord.word)
    elsewhere = select(1).where(Product.search.bool_op("@@")(stem), OFFERED, Product.id != product_id).exists()
    unused = and_(SearchWord.word.in_(select(words.c.word)), func.numnode(stem) > 0, ~elsewhere)
    session.execute(delete(SearchWord).where(unused))


def _words_of(product_id: int) -> Select[str]:
    names = func.translate(func.concat_ws(" ", Product.title, Product.brand), SEPARATORS, " " * len(SEPARATORS))
    named = func.to_tsvector(literal_column(f"'{PLAIN}'::regconfig"), names)
    words = select(func.unnest(func.tsvector_to_array(named)).label("word")).where(Product.id == product_id).subquery()
    return select(words.c.word).where(
        func.length(words.c.word).between(SHORTEST, LONGEST), words.c.word.regexp_match("^[[:alpha:]]+$")
    )
