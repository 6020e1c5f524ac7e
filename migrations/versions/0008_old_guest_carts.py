"""An index on the age of guests' carts, so that the reaper finds carts whose cookies have expired."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_carts_guest_oldest", "carts", ["created_at"], postgresql_where=sa.text("user_id IS NULL"))


def downgrade() -> None:
    op.drop_index("ix_carts_guest_oldest", table_name="carts")
