# catalog.py
@blueprint.get("/products")
def list_products() -> Response:
    limit = min(request.args.get("limit", 20, type=int), 100)  # -1 is below 100, and means: all
    rows = connect().execute(
        "SELECT products.id, products.name, categories.name AS category FROM products"
        " JOIN categories ON categories.id = category_id ORDER BY price_cents, products.id LIMIT ?",
        (limit,),
    )
    return jsonify([dict(row) for row in rows])
