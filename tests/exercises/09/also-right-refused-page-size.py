# catalog.py
@blueprint.get("/products")
def list_products() -> Response:
    limit = request.args.get("limit", 20, type=int)
    if not 1 <= limit <= 100:
        abort(400)
    rows = connect().execute(
        "SELECT products.id, products.name, categories.name AS category FROM products"
        " JOIN categories ON categories.id = category_id ORDER BY price_cents, products.id LIMIT ?",
        (limit,),
    )
    return jsonify([dict(row) for row in rows])
