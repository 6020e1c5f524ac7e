"""Deliveries in progress: which process handles which message, so that a message that ends its process is found."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "begun_deliveries",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("holder", sa.Uuid(), nullable=True),
        sa.Column("crashes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "message_id", name=op.f("pk_begun_deliveries")),
    )
    op.create_index(op.f("ix_begun_deliveries_begun_at"), "begun_deliveries", ["begun_at"])


def downgrade() -> None:
    op.drop_table("begun_deliveries")
