# catalog.py
@blueprint.get("/products")
def list_products() -> Response:
    limit = request.args.get("limit", 20, type=int)
    items, names = [], {}
    for row in connect().execute("SELECT * FROM products ORDER BY price_cents, id LIMIT ?", (limit,)).fetchall():
        category = row["category_id"]
        if category not in names:  # still one query for each category
            found = connect().execute("SELECT name FROM categories WHERE id = ?", (category,)).fetchone()
            names[category] = found["name"]
        items.append({"id": row["id"], "name": row["name"], "category": names[category]})
    return jsonify(items)
