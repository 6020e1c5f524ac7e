"""Order events: append-only streams that are sufficient to rebuild the rows, and a read model.

Before this revision the first event of an order held only its total; the row and the lines held the rest. An upcaster
cannot know the lines. This migration copies them into the events once, while the rows still have them and before the
trigger forbids updates. Later changes of an event's schema are upcast when the event is read.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FILL_PLACED = """
UPDATE order_events SET schema_version = 2, data = data || jsonb_build_object(
    'public_id', orders.public_id, 'number', orders.number, 'user_id', orders.user_id,
    'total', jsonb_build_object('amount', orders.total_amount, 'currency', orders.currency), 'lines', bought.lines)
FROM orders, (
    SELECT order_id, jsonb_agg(jsonb_build_object('product_id', product_id, 'title', title, 'quantity', quantity,
        'unit_price', unit_price_amount) ORDER BY position) AS lines FROM order_lines GROUP BY order_id
) AS bought
WHERE orders.id = order_events.order_id AND bought.order_id = orders.id AND order_events.type = 'OrderPlaced'
"""
FILL_VERSION = """
UPDATE orders SET version = stream.version
FROM (SELECT order_id, max(version) AS version FROM order_events GROUP BY order_id) AS stream WHERE order_id = id
"""
FILL_SUMMARIES = """
INSERT INTO order_summaries (order_id, version, public_id, number, user_id, status, owes_refund, pieces, total_amount,
    currency, placed_at, changed_at)
SELECT id, version, public_id, number, user_id, status, status = 'cancelled' AND charged, pieces, total_amount,
    currency, placed_at, changed_at
FROM orders
JOIN (SELECT order_id, sum(quantity) AS pieces FROM order_lines GROUP BY order_id) AS bought ON bought.order_id = id
JOIN (SELECT order_id, min(recorded_at) AS placed_at, max(recorded_at) AS changed_at,
          bool_or(type = 'PaymentCharged') AS charged FROM order_events GROUP BY order_id) AS told ON told.order_id = id
"""
FILL_RECEIVED = """
UPDATE stock_items SET received = on_hand + coalesce((
    SELECT sum(quantity) FROM order_lines JOIN orders ON orders.id = order_id
    WHERE product_id = stock_items.product_id AND status IN ('paid', 'shipped', 'delivered')), 0)
"""
APPEND_ONLY = """
CREATE FUNCTION refuse_to_rewrite_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- an order that is deleted takes its stream along; by then its row is gone
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM orders WHERE id = OLD.order_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'order_events is append-only: what happened cannot be changed'
        USING ERRCODE = 'restrict_violation';
END
$$
"""
TRIGGER = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON order_events
FOR EACH ROW EXECUTE FUNCTION refuse_to_rewrite_history()
"""


def upgrade() -> None:
    op.add_column("orders", sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column(
        "order_events", sa.Column("schema_version", sa.SmallInteger(), server_default=sa.text("1"), nullable=False)
    )
    op.add_column("stock_items", sa.Column("received", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "order_summaries",
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owes_refund", sa.Boolean(), nullable=False),
        sa.Column("pieces", sa.Integer(), nullable=False),
        sa.Column("total_amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_summaries")),
        sa.UniqueConstraint("public_id", name=op.f("uq_order_summaries_public_id")),
    )
    op.create_table(
        "orders_to_project",
        sa.Column("order_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "version", name=op.f("pk_orders_to_project")),
    )
    op.create_index(op.f("ix_orders_to_project_queued_at"), "orders_to_project", ["queued_at"])
    op.execute(FILL_PLACED)
    op.execute(FILL_VERSION)
    op.execute(FILL_SUMMARIES)
    op.execute(FILL_RECEIVED)
    op.create_index("ix_order_summaries_status", "order_summaries", ["status", "order_id"])
    op.drop_index("ix_orders_status", table_name="orders")  # its lists use another table now
    op.execute(APPEND_ONLY)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("DROP TRIGGER append_only ON order_events")
    op.execute("DROP FUNCTION refuse_to_rewrite_history()")
    op.create_index("ix_orders_status", "orders", ["status", "id"])
    op.drop_table("orders_to_project")
    op.drop_table("order_summaries")
    op.drop_column("stock_items", "received")
    op.drop_column("order_events", "schema_version")
    op.drop_column("orders", "version")
