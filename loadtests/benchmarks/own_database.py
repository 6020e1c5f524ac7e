"""Starts a PostgreSQL with some products for one benchmark: it needs no running stack and does not affect one."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from shop.database.engine import build_engine
from shop.database.schema import upgrade
from shop.database.transactions import Database
from shop.settings import Settings, load_settings
from shop.stack import postgres
from shop.stack.program import free_port

START_TIMEOUT_S = 60
NOT_WAITING = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def own_database(products: int) -> Iterator[Settings]:
    """Start a server with the schema and so many products without stock; stop and remove everything at the end.

    The server does not wait for the disk: that wait is equal for both sides of a comparison and would hide the rest.
    """
    home = Path(tempfile.mkdtemp(prefix="shop-benchmark-"))
    home.chmod(0o755)  # if root runs this, PostgreSQL runs as another account
    postgres.initialise(home / "pg")
    server = postgres.program(home / "pg", free_port(), NOT_WAITING)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(server.argv, stdout=log, stderr=log, cwd="/")
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not server.healthy():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError((home / "log").read_text())
            time.sleep(0.05)
        postgres.ensure_database(home / "pg", server.port)
        settings = load_settings(
            database_url=postgres.url(home / "pg", server.port),
            var_dir=home / "var",
            secret_key="of a benchmark",  # noqa: S106 - the benchmark has no log-in
        )
        _fill(settings, products)
        yield settings
    finally:
        process.send_signal(server.stop_signal)
        process.wait(server.stop_timeout_s)
        shutil.rmtree(home, ignore_errors=True)


def _fill(settings: Settings, products: int) -> None:
    engine = build_engine(settings)
    upgrade(engine)
    with Database(engine).transaction() as session:
        session.execute(text("INSERT INTO categories (slug, name) VALUES ('things', 'Things')"))
        session.execute(
            text(
                "INSERT INTO products (slug, category_id, title, brand, description, price_amount)"
                " SELECT 'thing-' || n, 1, 'Thing ' || n, 'Northwind', 'A thing.', 1000 FROM generate_series(1, :n) n"
            ),
            {"n": products},
        )
        session.execute(text("INSERT INTO stock_items (product_id) SELECT id FROM products"))
    engine.dispose()
