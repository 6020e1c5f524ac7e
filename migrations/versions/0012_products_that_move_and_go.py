"""Former slugs of a product, and withdrawn products.

A former slug belongs to its product permanently: a trigger refuses it to every other product, for every writer. The
trigger runs after the row is written, when a concurrent rename has committed; before that, the rename is not visible.

The indexes of the product lists cover only offered products, so a list still reads only its index.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OFFERED = sa.text("withdrawn_at IS NULL")
LISTS = {
    "ix_products_category_popularity": ["category_id", sa.text("popularity DESC"), "id"],
    "ix_products_category_price": ["category_id", "price_amount", "id"],
    "ix_products_category_rating": ["category_id", sa.text("rating DESC"), "id"],
    "ix_products_category_created_at": ["category_id", sa.text("created_at DESC"), "id"],
    "ix_products_brand_category": ["brand", "category_id"],
    "ix_products_popularity": [sa.text("popularity DESC"), "id"],
}
REFUSE = """
CREATE FUNCTION refuse_former_slug() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM former_slugs WHERE slug = NEW.slug) THEN
        RAISE unique_violation USING
            MESSAGE = format('the slug %L was another product''s and leads to it', NEW.slug),
            TABLE = 'products', CONSTRAINT = 'former_slug_not_reused';
    END IF;
    RETURN NULL;
END
$$
"""
TRIGGER = """
CREATE TRIGGER former_slug_not_reused AFTER INSERT OR UPDATE OF slug ON products
FOR EACH ROW EXECUTE FUNCTION refuse_former_slug()
"""


def upgrade() -> None:
    op.add_column("products", sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "former_slugs",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("renamed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_former_slugs_product_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_former_slugs")),
    )
    op.create_index(op.f("ix_former_slugs_product_id"), "former_slugs", ["product_id"])
    op.execute(REFUSE)
    op.execute(TRIGGER)
    for name, columns in LISTS.items():
        op.drop_index(name, table_name="products")
        op.create_index(name, "products", columns, postgresql_where=OFFERED)
    op.create_index(
        "ix_products_withdrawn_at", "products", ["withdrawn_at"], postgresql_where=sa.text("withdrawn_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_products_withdrawn_at", table_name="products")
    for name, columns in LISTS.items():
        op.drop_index(name, table_name="products")
        op.create_index(name, "products", columns)
    op.execute("DROP TRIGGER former_slug_not_reused ON products")
    op.execute("DROP FUNCTION refuse_former_slug()")
    op.drop_table("former_slugs")
    op.drop_column("products", "withdrawn_at")
