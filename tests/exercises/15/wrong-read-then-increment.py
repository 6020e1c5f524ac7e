from sqlalchemy import text

READ = text("SELECT on_hand - reserved FROM stock_items WHERE product_id = :product_id")
TAKE = text("UPDATE stock_items SET reserved = reserved + :pieces WHERE product_id = :product_id")


def reserve_stock(session, product_id, pieces):
    available = session.execute(READ, {"product_id": product_id}).scalar_one_or_none()
    if available is None or available < pieces:
        return None
    session.execute(TAKE, {"product_id": product_id, "pieces": pieces})
    return available - pieces
