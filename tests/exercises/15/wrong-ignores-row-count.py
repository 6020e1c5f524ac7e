from sqlalchemy import text

TAKE = text("""
UPDATE stock_items SET reserved = reserved + :pieces
 WHERE product_id = :product_id AND reserved + :pieces <= on_hand
""")
LEFT = text("SELECT on_hand - reserved FROM stock_items WHERE product_id = :product_id")


def reserve_stock(session, product_id, pieces):
    session.execute(TAKE, {"product_id": product_id, "pieces": pieces})
    return session.execute(LEFT, {"product_id": product_id}).scalar_one_or_none()
