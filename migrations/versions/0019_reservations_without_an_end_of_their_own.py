"""No expiry time of an order's reservation: the completer settles each open payment earlier, by the provider's ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_orders_reserved_until", table_name="orders")
    op.drop_column("orders", "reserved_until")


def downgrade() -> None:
    op.add_column("orders", sa.Column("reserved_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_orders_reserved_until",
        "orders",
        ["reserved_until"],
        postgresql_where=sa.text("status = 'pending_payment'"),
    )
