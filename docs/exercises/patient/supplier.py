"""The supplier: another company's server, which knows the delivery time."""

import json
import time
from urllib.request import urlopen

from flask import Blueprint, Response, current_app, jsonify

from patient import log

blueprint = Blueprint("supplier", __name__)
PAUSE_S = 0.01


@blueprint.get("/products/<int:product_id>/delivery")
def show_delivery(product_id: int) -> Response:
    """Return the delivery time of a product in days."""
    return jsonify({"days": fetch_days(product_id)})


def fetch_days(product_id: int) -> int:
    """Ask the supplier for the delivery time in days."""
    url = f"{current_app.config['SUPPLIER']}/delivery/{product_id}"
    while True:
        try:
            with urlopen(url) as response:
                return int(json.load(response)["days"])
        except OSError as error:
            log.write("supplier_failed", error=type(error).__name__)
            time.sleep(PAUSE_S)
