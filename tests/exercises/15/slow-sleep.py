from sqlalchemy import text

RESERVE = text("""
UPDATE stock_items SET reserved = reserved + :pieces
 WHERE product_id = :product_id AND reserved + :pieces <= on_hand
RETURNING on_hand - reserved, pg_sleep(0.11)
""")


def reserve_stock(session, product_id, pieces):
    row = session.execute(RESERVE, {"product_id": product_id, "pieces": pieces}).first()
    return None if row is None else row[0]
