# orders.py
@blueprint.post("/orders")
def place_order() -> tuple[Response, int]:
    body, key = request.get_json(), request.headers.get("Idempotency-Key")
    connection = connect()
    if connection.execute("SELECT 1 FROM orders WHERE idempotency_key = ?", (key,)).fetchone():
        abort(409)  # the client still does not know its order
    with connection:
        order = connection.execute(
            "INSERT INTO orders (product_id, quantity, total_cents, idempotency_key) VALUES (?, ?, ?, ?)",
            (body["product"], 1, 0, key),
        )
    return jsonify({"id": order.lastrowid}), 201
