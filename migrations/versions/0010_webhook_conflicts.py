"""Webhook conflicts: provider messages that contradict the store's record, stored for the auditor."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_conflicts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("charge_key", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_conflicts")),
        sa.UniqueConstraint(
            "charge_key", "provider_id", "type", name=op.f("uq_webhook_conflicts_charge_key_provider_id_type")
        ),
    )


def downgrade() -> None:
    op.drop_table("webhook_conflicts")
