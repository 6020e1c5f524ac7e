# catalog.py
@blueprint.get("/products/<int:product_id>")
def show_product(product_id: int) -> Response:
    row = connect().execute("SELECT id, name, price_cents FROM products WHERE id = ?", (product_id,)).fetchone()
    if row is None:
        abort(404)
    return jsonify(dict(row))
