# orders.py
_orders: dict[str, int] = {}  # of this process alone


@blueprint.post("/orders")
def place_order() -> tuple[Response, int]:
    body, key = request.get_json(), request.headers.get("Idempotency-Key", "")
    if key in _orders:
        return jsonify({"id": _orders[key]}), 201
    with connect() as connection:
        order = connection.execute(
            "INSERT INTO orders (product_id, quantity, total_cents) VALUES (?, ?, ?)", (body["product"], 1, 0)
        )
    _orders[key] = order.lastrowid
    return jsonify({"id": order.lastrowid}), 201
