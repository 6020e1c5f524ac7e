"""Refunds with retries: attempts are counted and delayed, and staff settle a refund that the provider refuses."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATUSES = "'pending', 'charged', 'declined', 'abandoned', 'refund_pending', {more}'refunded'"
STATUS_CHECK = "ck_payments_status_known"


def upgrade() -> None:
    op.add_column("payments", sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("payments", sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payments", sa.Column("last_error", sa.Text(), nullable=True))
    _know("'refund_failed', 'refund_closed', ")
    op.create_index(
        "ix_order_summaries_owes_refund", "order_summaries", ["order_id"], postgresql_where=sa.text("owes_refund")
    )


def downgrade() -> None:
    op.drop_index("ix_order_summaries_owes_refund", table_name="order_summaries")
    # an older build retries failed refunds, and reads refunds that staff settled as refunded, as its accounts then say
    op.execute("UPDATE payments SET status = 'refund_pending' WHERE status = 'refund_failed'")
    op.execute("UPDATE payments SET status = 'refunded' WHERE status = 'refund_closed'")
    _know("")
    op.drop_column("payments", "last_error")
    op.drop_column("payments", "next_attempt_at")
    op.drop_column("payments", "attempts")


def _know(more: str) -> None:
    op.drop_constraint(op.f(STATUS_CHECK), "payments", type_="check")
    op.create_check_constraint(op.f(STATUS_CHECK), "payments", f"status IN ({STATUSES.format(more=more)})")
