from sqlalchemy import text

LOCK = text("SELECT on_hand, reserved FROM stock_items WHERE product_id = :product_id FOR UPDATE")
WRITE = text("UPDATE stock_items SET reserved = :reserved WHERE product_id = :product_id")


def reserve_stock(session, product_id, pieces):
    row = session.execute(LOCK, {"product_id": product_id}).first()
    if row is None:
        return None
    reserved = row.reserved + pieces
    if reserved > row.on_hand:
        return None
    session.execute(WRITE, {"product_id": product_id, "reserved": reserved})
    return row.on_hand - reserved
