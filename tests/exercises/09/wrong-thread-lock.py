# orders.py
import threading

_lock = threading.Lock()  # one process has it; another process has another one


@blueprint.post("/orders")
def place_order() -> tuple[Response, int]:
    body = request.get_json()
    quantity = body["quantity"]
    connection = connect()
    with _lock:
        product = connection.execute("SELECT * FROM products WHERE id = ?", (body["product"],)).fetchone()
        if product["stock"] < quantity:
            abort(409)
        with connection:
            left = product["stock"] - quantity
            connection.execute("UPDATE products SET stock = ? WHERE id = ?", (left, product["id"]))
            order = connection.execute(
                "INSERT INTO orders (product_id, quantity, total_cents) VALUES (?, ?, ?)", (product["id"], quantity, 0)
            )
    return jsonify({"id": order.lastrowid, "total_cents": 0}), 201
