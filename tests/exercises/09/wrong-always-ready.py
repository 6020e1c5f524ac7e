# health.py
@blueprint.get("/readyz")
def show_readiness() -> tuple[Response, int]:
    return jsonify({"status": "ready"}), 200
