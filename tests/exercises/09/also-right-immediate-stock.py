# orders.py
@blueprint.post("/orders")
def place_order() -> tuple[Response, int]:
    body = request.get_json()
    quantity = body.get("quantity")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= 100:
        abort(400)
    connection = connect()
    connection.execute("BEGIN IMMEDIATE")  # one writer at a time, in all processes
    with connection:
        product = connection.execute("SELECT * FROM products WHERE id = ?", (body.get("product"),)).fetchone()
        if product is None:
            abort(404)
        if product["stock"] < quantity:
            abort(409)
        left, total_cents = product["stock"] - quantity, quantity * product["price_cents"]
        connection.execute("UPDATE products SET stock = ? WHERE id = ?", (left, product["id"]))
        order = connection.execute(
            "INSERT INTO orders (product_id, quantity, total_cents) VALUES (?, ?, ?)",
            (product["id"], quantity, total_cents),
        )
    return jsonify({"id": order.lastrowid, "total_cents": total_cents}), 201
