"""The words of the spelling correction: every word of titles and brands, with its number of products."""

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
"""Numbers and words of one or two letters are left out: they have no spelling to correct."""
REBUILD: Final = f"INSERT INTO search_words (word, products) {WORDS}"
"""Fills the table, which must be empty."""
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


def refresh_search_words(database: Database) -> None:
    """Update the words while the store runs. Each transaction locks few rows for a short time.

    Args:
        database: with a single connection, since a temporary table holds the differences.

    Raises:
        ServiceUnavailable: the database is not available.
    """

    def compare(session: Session) -> int:
        for statement in COMPARE:
            session.execute(statement)
        return int(session.execute(text("SELECT count(*) FROM differing")).scalar_one())

    def apply_batch(first: int, session: Session) -> None:
        bounds = {"first": first, "last": first + BATCH_WORDS - 1}
        session.execute(DELETE, bounds)
        session.execute(UPSERT, bounds)

    # Both sides come from one snapshot: a word added at the same time is in neither side, and stays.
    differing = database.run_in_transaction(compare, isolation="REPEATABLE READ")
    for first in range(1, differing + 1, BATCH_WORDS):
        database.run_in_transaction(partial(apply_batch, first))
    database.run_in_transaction(lambda session: session.execute(text("DROP TABLE differing")))
