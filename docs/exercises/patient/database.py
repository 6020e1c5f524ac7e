"""The database: one connection for each request."""

import sqlite3

from flask import current_app, g

SCHEMA = """
CREATE TABLE IF NOT EXISTS categories (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    category_id INTEGER NOT NULL REFERENCES categories (id),
    price_cents INTEGER NOT NULL,
    stock INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL,
    total_cents INTEGER NOT NULL,
    idempotency_key TEXT
);
"""


def create_schema(path: str) -> None:
    """Create the tables in a file."""
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.close()


def connect() -> sqlite3.Connection:
    """Return the connection of this request."""
    if "connection" not in g:
        g.connection = sqlite3.connect(f"file:{current_app.config['DATABASE']}?mode=rw", uri=True)
        g.connection.row_factory = sqlite3.Row
    return g.connection


def close(error: BaseException | None = None) -> None:
    """Close the connection of this request."""
    connection = g.pop("connection", None)
    if connection is not None:
        connection.close()
