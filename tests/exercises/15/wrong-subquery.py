from sqlalchemy import text

RESERVE = text("""
UPDATE stock_items SET reserved = reserved + :pieces
 WHERE product_id IN (
    SELECT product_id FROM stock_items WHERE product_id = :product_id AND reserved + :pieces <= on_hand)
RETURNING on_hand - reserved
""")


def reserve_stock(session, product_id, pieces):
    return session.execute(RESERVE, {"product_id": product_id, "pieces": pieces}).scalar_one_or_none()
