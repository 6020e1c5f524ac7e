"""Search and spelling correction without accents.

The extension ``unaccent`` provides a dictionary that folds a word and passes it to the next dictionary, so the text
itself does not change. Two configurations use it for words with letters beyond ASCII: `english_unaccented` for texts
and queries, `simple_unaccented` for the words of the spelling correction. Such a word is never dropped as an English
stop word: `thé` is not one, although it folds to one.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

CONFIGURE = """
CREATE TEXT SEARCH DICTIONARY english_stem_all (TEMPLATE = snowball, Language = english);
CREATE TEXT SEARCH CONFIGURATION english_unaccented (COPY = english);
ALTER TEXT SEARCH CONFIGURATION english_unaccented ALTER MAPPING FOR word, hword, hword_part
    WITH unaccent, english_stem_all;
ALTER TEXT SEARCH CONFIGURATION english_unaccented ALTER MAPPING FOR numword, numhword WITH unaccent, simple;
CREATE TEXT SEARCH CONFIGURATION simple_unaccented (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION simple_unaccented ALTER MAPPING FOR word, hword, hword_part, numword, numhword
    WITH unaccent, simple;
"""
VECTOR = r"""
setweight(to_tsvector('{0}', translate(title, '-/._+', '     '))
    || to_tsvector('{0}', replace(regexp_replace(title, '(^|\s)[^-\s]+(?=\s|$)', ' ', 'g'), '-', '')), 'A')
|| setweight(to_tsvector('{0}', translate(brand, '-/._+', '     ')), 'B')
|| setweight(to_tsvector('{0}', translate(description, '-/._+', '     ')), 'C')
"""
LEARN = """
    INSERT INTO search_words (word, products)
    SELECT word, ndoc
    FROM ts_stat('SELECT to_tsvector(''{0}'', translate(title || '' '' || brand, ''-/._+'', ''     ''))
        FROM products WHERE withdrawn_at IS NULL')
    WHERE length(word) BETWEEN 3 AND 40 AND word ~ '^[[:alpha:]]+$'
"""


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
    op.execute(CONFIGURE)
    _search_with("english_unaccented", "simple_unaccented")


def downgrade() -> None:
    _search_with("english", "simple")
    for configuration in ("english_unaccented", "simple_unaccented"):
        op.execute(f"DROP TEXT SEARCH CONFIGURATION {configuration}")
    op.execute("DROP TEXT SEARCH DICTIONARY english_stem_all")
    op.execute("DROP EXTENSION unaccent")


def _search_with(english: str, simple: str) -> None:
    """Create the vector and the words again. Before PostgreSQL 17 a generated column's expression cannot be changed."""
    op.drop_column("products", "search")
    vector = VECTOR.format(english)
    op.execute(f"ALTER TABLE products ADD COLUMN search tsvector GENERATED ALWAYS AS ({vector}) STORED NOT NULL")
    op.create_index("ix_products_search", "products", ["search"], postgresql_using="gin")
    op.execute("DELETE FROM search_words")
    op.execute(LEARN.format(simple))
