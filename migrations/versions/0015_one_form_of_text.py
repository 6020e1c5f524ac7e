"""One Unicode form of all text, and separate search words around ``/ . - _ +``.

Stored text is converted to the form that all write paths use from now on (shop/catalog/text_normalisation.py). The search
vector has a new expression, so its column is created again; the spelling correction learns the separated words.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INVISIBLE = "\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
BLANK = "\u0001-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ue000-\uf8ff"
ONE_LINE = f"btrim(regexp_replace(normalize(regexp_replace({{0}}, '[{INVISIBLE}]', '', 'g')), '[{BLANK}]+', ' ', 'g'))"
OLD = (
    "setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', brand), 'B')"
    " || setweight(to_tsvector('english', description), 'C')"
)
APART = "to_tsvector('english', translate({0}, '-/._+', '     '))"
JOINED = r"to_tsvector('english', replace(regexp_replace(title, '(^|\s)[^-\s]+(?=\s|$)', ' ', 'g'), '-', ''))"
NEW = (
    f"setweight({APART.format('title')} || {JOINED}, 'A') || setweight({APART.format('brand')}, 'B')"
    f" || setweight({APART.format('description')}, 'C')"
)
LEARN = """
    INSERT INTO search_words (word, products)
    SELECT word, ndoc
    FROM ts_stat('SELECT to_tsvector(''simple'', translate(title || '' '' || brand, ''-/._+'', ''     ''))
        FROM products WHERE withdrawn_at IS NULL')
    WHERE length(word) BETWEEN 3 AND 40 AND word ~ '^[[:alpha:]]+$'
    ON CONFLICT (word) DO UPDATE SET products = EXCLUDED.products
"""


def upgrade() -> None:
    op.drop_column("products", "search")  # first: the updates below need not compute it, and its index is dropped
    for table, column in (("categories", "name"), ("products", "title"), ("products", "brand")):
        # If the normalised text were empty, the composed form stays.
        form = f"coalesce(nullif({ONE_LINE.format(column)}, ''), normalize({column}))"
        op.execute(f"UPDATE {table} SET {column} = {form} WHERE {column} <> {form}")  # noqa: S608 - constant names
    op.execute("UPDATE products SET description = normalize(description) WHERE description IS NOT NFC NORMALIZED")
    op.create_check_constraint(op.f("ck_categories_name_composed"), "categories", "name IS NFC NORMALIZED")
    op.create_check_constraint(
        op.f("ck_products_text_composed"), "products", "title IS NFC NORMALIZED AND brand IS NFC NORMALIZED"
    )
    _add_vector(NEW)
    op.execute(LEARN)


def downgrade() -> None:
    op.drop_column("products", "search")
    op.drop_constraint(op.f("ck_products_text_composed"), "products")
    op.drop_constraint(op.f("ck_categories_name_composed"), "categories")
    _add_vector(OLD)


def _add_vector(expression: str) -> None:
    op.execute(f"ALTER TABLE products ADD COLUMN search tsvector GENERATED ALWAYS AS ({expression}) STORED NOT NULL")
    op.create_index("ix_products_search", "products", ["search"], postgresql_using="gin")
