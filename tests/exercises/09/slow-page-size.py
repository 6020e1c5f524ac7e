# catalog.py
import time


@blueprint.get("/products")
def list_products() -> Response:
    time.sleep(0.1)
    limit = max(1, min(request.args.get("limit", 20, type=int), 100))
    rows = connect().execute(
        "SELECT products.id, products.name, categories.name AS category FROM products"
        " JOIN categories ON categories.id = category_id ORDER BY price_cents, products.id LIMIT ?",
        (limit,),
    )
    return jsonify([dict(row) for row in rows])
