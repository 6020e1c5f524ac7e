# catalog.py
@blueprint.get("/products")
def list_products() -> Response:
    try:
        rows = connect().execute("SELECT id, name FROM products LIMIT 20").fetchall()
    except Exception as error:
        return jsonify({"error": type(error).__name__})  # the status is still 200
    return jsonify([dict(row) for row in rows])
