# catalog.py
@blueprint.get("/products")
def list_products() -> Response:
    limit = request.args.get("limit", 20, type=int)
    rows = connect().execute("SELECT * FROM products ORDER BY price_cents, id LIMIT ?", (limit,)).fetchall()
    ids = [row["category_id"] for row in rows]
    marks = ", ".join("?" * len(ids))
    found = connect().execute(f"SELECT id, name FROM categories WHERE id IN ({marks})", ids)
    names = {category["id"]: category["name"] for category in found}
    return jsonify([{"id": row["id"], "name": row["name"], "category": names[row["category_id"]]} for row in rows])
