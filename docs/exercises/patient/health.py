"""Health: is the process alive, and is it ready for requests?"""

from urllib.request import urlopen

from flask import Blueprint, Response, current_app, jsonify

from patient.database import connect

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def show_liveness() -> Response:
    """Return that the process answers."""
    return jsonify({"status": "alive"})


@blueprint.get("/readyz")
def show_readiness() -> tuple[Response, int]:
    """Return whether the load balancer may send requests to this process."""
    try:
        connect().execute("SELECT 1 FROM products LIMIT 1")
        with urlopen(f"{current_app.config['SUPPLIER']}/health", timeout=1):
            pass
    except Exception as error:
        return jsonify({"status": "not ready", "error": type(error).__name__}), 503
    return jsonify({"status": "ready"}), 200
