# orders.py
@blueprint.post("/orders")
def place_order() -> tuple[Response, int]:
    body = request.get_json()
    log.write("order_received", product=body["product"], token=body["card"])  # another name, the same secret
    return jsonify({"id": 1}), 201
