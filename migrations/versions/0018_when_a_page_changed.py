"""``updated_at`` of a product: the time of the last change on its page, with an index for parts of the sitemap.

Before, every write to the row moved it, also an import without a change. So a stored value is never earlier than the
last change, and may stay.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

SHOWN = (
    "slug",
    "category_id",
    "title",
    "brand",
    "description",
    "price_amount",
    "rating_count",
    "rating_sum",
    "withdrawn_at",
)
TOUCH = "CREATE TRIGGER touch BEFORE UPDATE ON products FOR EACH ROW {0} EXECUTE FUNCTION touch_updated_at()"


def upgrade() -> None:
    old, new = (", ".join(f"{row}.{column}" for column in SHOWN) for row in ("OLD", "NEW"))
    op.execute("DROP TRIGGER touch ON products")
    op.execute(TOUCH.format(f"WHEN (({old}) IS DISTINCT FROM ({new}))"))
    op.execute("CREATE INDEX ix_products_part_updated_at ON products (((id - 1) / 10000), updated_at DESC)")


def downgrade() -> None:
    op.drop_index("ix_products_part_updated_at", table_name="products")
    op.execute("DROP TRIGGER touch ON products")
    op.execute(TOUCH.format(""))
