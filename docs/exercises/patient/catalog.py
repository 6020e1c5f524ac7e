"""The catalogue: the list of products, and the page of one product."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from patient import log
from patient.database import connect

blueprint = Blueprint("catalog", __name__)
_pages: dict[int, dict[str, Any]] = {}


@blueprint.get("/products")
def list_products() -> Response:
    """Return the cheapest products, with the name of their category."""
    limit = request.args.get("limit", 20, type=int)
    items = []
    try:
        rows = connect().execute("SELECT * FROM products ORDER BY price_cents, id LIMIT ?", (limit,)).fetchall()
        for row in rows:
            category = connect().execute("SELECT name FROM categories WHERE id = ?", (row["category_id"],)).fetchone()
            items.append({"id": row["id"], "name": row["name"], "category": category["name"]})
    except Exception as error:
        log.write("list_failed", error=type(error).__name__)
    return jsonify(items)


@blueprint.get("/products/<int:product_id>")
def show_product(product_id: int) -> Response:
    """Return one product."""
    if product_id not in _pages:
        row = connect().execute("SELECT * FROM products WHERE id = ?", (product_id,)).fetchone()
        if row is None:
            abort(404)
        _pages[product_id] = {"id": row["id"], "name": row["name"], "price_cents": row["price_cents"]}
    return jsonify(_pages[product_id])
