"""A line of a cart has a name, and an order's line says which one it was bought from.

The name goes with the line into another cart and ends when it is bought, so two paid orders of one line can be told.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "cart_items", sa.Column("line_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)
    )
    op.add_column("order_lines", sa.Column("cart_line_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("order_lines", "cart_line_id")
    op.drop_column("cart_items", "line_id")
