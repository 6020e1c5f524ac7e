"""Orders: sells pieces of a product."""

from flask import Blueprint, Response, abort, jsonify, request

from patient import log
from patient.database import connect

blueprint = Blueprint("orders", __name__)


@blueprint.post("/orders")
def place_order() -> tuple[Response, int]:
    """Sell some pieces, and return the order."""
    body = request.get_json()
    log.write("order_received", body=body)
    quantity = body.get("quantity")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= 100:
        abort(400)
    connection = connect()
    product = connection.execute("SELECT * FROM products WHERE id = ?", (body.get("product"),)).fetchone()
    if product is None:
        abort(404)
    if product["stock"] < quantity:
        abort(409)
    with connection:  # one transaction: both rows, or none
        connection.execute("UPDATE products SET stock = ? WHERE id = ?", (product["stock"] - quantity, product["id"]))
        order = connection.execute(
            "INSERT INTO orders (product_id, quantity, total_cents) VALUES (?, ?, ?)",
            (product["id"], quantity, quantity * product["price_cents"]),
        )
    log.write("order_placed", order=order.lastrowid)
    return jsonify({"id": order.lastrowid, "total_cents": quantity * product["price_cents"]}), 201
