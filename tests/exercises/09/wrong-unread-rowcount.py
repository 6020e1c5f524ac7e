# orders.py
@blueprint.post("/orders")
def place_order() -> tuple[Response, int]:
    body = request.get_json()
    quantity = body["quantity"]
    connection = connect()
    product = connection.execute("SELECT * FROM products WHERE id = ?", (body["product"],)).fetchone()
    if product["stock"] < quantity:
        abort(409)
    with connection:  # guards the stock, and orders also when no piece was left
        connection.execute(
            "UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ?", (quantity, product["id"], quantity)
        )
        order = connection.execute(
            "INSERT INTO orders (product_id, quantity, total_cents) VALUES (?, ?, ?)", (product["id"], quantity, 0)
        )
    return jsonify({"id": order.lastrowid, "total_cents": 0}), 201
