from sqlalchemy import text

READ = text("SELECT on_hand, reserved FROM stock_items WHERE product_id = :product_id")
SWAP = text("""
UPDATE stock_items SET reserved = :new WHERE product_id = :product_id AND (on_hand, reserved) = (:on_hand, :old)
""")


def reserve_stock(session, product_id, pieces):
    row = session.execute(READ, {"product_id": product_id}).first()
    if row is None or row.reserved + pieces > row.on_hand:
        return None
    values = {"product_id": product_id, "on_hand": row.on_hand, "old": row.reserved}
    if session.execute(SWAP, {**values, "new": row.reserved + pieces}).rowcount == 0:
        return None  # another buyer was faster
    return row.on_hand - row.reserved - pieces
