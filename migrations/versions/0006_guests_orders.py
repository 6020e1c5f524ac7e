"""The guest id of an order, so that the guest's cookie need not list the orders.

Existing orders get the guest id of their checkout key's owner: it is the id of the guest's cart, which the cookie
already contains. So every browser finds all of its orders, not only the last twenty.
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
