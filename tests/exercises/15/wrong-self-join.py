from sqlalchemy import text

RESERVE = text("""
WITH available AS (
    SELECT product_id, on_hand - reserved AS pieces FROM stock_items WHERE product_id = :product_id
)
UPDATE stock_items AS stock SET reserved = stock.reserved + :pieces
  FROM available WHERE available.product_id = stock.product_id AND available.pieces >= :pieces
RETURNING available.pieces - :pieces
""")


def reserve_stock(session, product_id, pieces):
    return session.execute(RESERVE, {"product_id": product_id, "pieces": pieces}).scalar_one_or_none()
