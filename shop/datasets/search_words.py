"""The words people may have meant: every word of titles and brands, with how many products carry it."""

from functools import partial
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop.catalog.models import PLAIN, SEPARATORS
from shop.database.transactions import Database

_NAMES = f"translate(title || '' '' || brand, ''{SEPARATORS}'', repeat('' '', {len(SEPARATORS)}))"
WORDS: Final = f"""
    SELECT word, ndoc
    FROM ts_stat('SELECT to_tsvector(''{PLAIN}'', {_NAMES}) FROM products WHERE withdrawn_at IS NULL')
    WHERE length(word) BETWEEN 3 AND 40 AND word ~ '^[[:alpha:]]+$'
"""  # noqa: S608 - constants
"""Numbers and single letters are left out: there is nothing to mend in them."""
REBUILD: Final = f"INSERT INTO search_words (word, products) {WORDS}"
"""Fills the empty table."""
COMPARE = (
    text(f"CREATE TEMPORARY TABLE counted ON COMMIT DROP AS {WORDS}"),
    text("""
        CREATE TEMPORARY TABLE differing AS
        SELECT row_number() OVER (ORDER BY word) AS number, word, ndoc AS products
        FROM counted FULL JOIN search_words USING (word) WHERE ndoc IS DISTINCT FROM products
    """),
)
DELETE = text("""
    DELETE FROM search_words USING differing
    WHERE search_words.word = differing.word AND differing.products IS NULL AND number BETWEEN :first AND :last
""")
UPSERT = text("""
    INSERT INTO search_words (word, products)
    SELECT word, products FROM differing WHERE products IS NOT NULL AND number BETWEEN :first AND :last ORDER BY number
    ON CONFLICT (word) DO UPDATE SET products = EXCLUDED.products
""")
BATCH_WORDS = 5_000


def refresh(database: Database) -> None:
    """Bring the words up to date while the store works: few rows are locked, and none for long.

    Args:
        database: on one connection, since what is to be done waits in its temporary table.

    Raises:
        ServiceUnavailable: the database went away.
    """

    def compare(session: Session) -> int:
        for statement in COMPARE:
            session.execute(statement)
        return int(session.execute(text("SELECT count(*) FROM differing")).scalar_one())

    # One snapshot for both sides: a word that is learnt meanwhile is in neither, and stays.
    differing = database.run_in_transaction(compare, isolation="REPEATABLE READ")
    for first in range(1, differing + 1, BATCH_WORDS):
        database.run_in_transaction(partial(_apply, {"first": first, "last": first + BATCH_WORDS - 1}))
    database.run_in_transaction(lambda session: session.execute(text("DROP TABLE differing")))


def _apply(bounds: dict[str, int], session: Session) -> None:
    session.execute(DELETE, bounds)
    session.execute(UPSERT, bounds)
