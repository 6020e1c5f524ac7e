"""An order says which guest placed it, so that her cookie need not list her orders.

Orders placed before are given the guest under whose name their checkout key stands: that is the id of her cart, which
her cookie has carried all along. So every browser finds what it had placed, and more than the last twenty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FILL_GUESTS = """
UPDATE orders SET guest_id = substr(checkout_owner, 7)::uuid WHERE checkout_owner LIKE 'guest:%'
"""


def upgrade() -> None:
    op.add_column("orders", sa.Column("guest_id", sa.Uuid(), nullable=True))
    op.execute(FILL_GUESTS)
    op.create_index(
        "ix_orders_guest_latest",
        "orders",
        ["guest_id", sa.text("id DESC")],
        postgresql_where=sa.text("guest_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_orders_guest_latest", table_name="orders")
    op.drop_column("orders", "guest_id")
