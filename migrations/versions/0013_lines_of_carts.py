"""An id of a cart line, which the order's line refers to.

The line keeps its id when it moves to another cart, and the id ends when the line is bought. So two paid orders of the
same line can be detected.
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
