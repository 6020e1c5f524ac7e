# catalog.py
from flask import current_app

_used: dict[int, float] = {}


@blueprint.get("/products/<int:product_id>")
def show_product(product_id: int) -> Response:
    now_s = current_app.config["CLOCK"]()
    if product_id not in _pages or now_s - _used[product_id] > 300:
        row = connect().execute("SELECT * FROM products WHERE id = ?", (product_id,)).fetchone()
        if row is None:
            abort(404)
        _pages[product_id] = {"id": row["id"], "name": row["name"], "price_cents": row["price_cents"]}
    _used[product_id] = now_s  # each reader makes the old page live longer
    return jsonify(_pages[product_id])
