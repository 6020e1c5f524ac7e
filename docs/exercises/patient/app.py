"""Builds the application."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

from flask import Flask

from patient import catalog, database, health, log, orders, supplier


def create_app(
    database_path: str,
    supplier_url: str,
    clock: Callable[[], float] = time.monotonic,
    log_stream: TextIO = sys.stderr,
) -> Flask:
    """Return the application.

    Args:
        database_path: file of the SQLite database.
        supplier_url: address of the supplier's server.
        clock: returns seconds; for everything that expires.
        log_stream: receives the log lines.
    """
    app = Flask(__name__)
    app.config.update(DATABASE=database_path, SUPPLIER=supplier_url, CLOCK=clock, LOG=log_stream)
    log.install(app)
    for part in (catalog, orders, supplier, health):
        app.register_blueprint(part.blueprint)
    app.teardown_appcontext(database.close)
    return app
