"""The other side of ``checkout_rate.py``: a Flask view that runs only the SQL and the charge of a checkout.

The statements are not written in this file, since they would become outdated. At its start, the application lets the
store's own code check out once and records every statement with its parameters. The view replays them with new ids: the
first transaction, the charge, the second transaction. It decides, checks and renders nothing.
"""

import datetime
import os
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from flask import Flask, Response, request
from psycopg.types.json import Jsonb
from sqlalchemy import event, text

from shop.app import create_app as create_store
from shop.settings import Settings, load_settings
from shop.wiring import ProcessRuntime, build

CART_VARIABLE = "BARE_CHECKOUT_CART"
"""The environment variable with the cart for the recording."""
RECORDED_PRODUCT = 50
"""The product in that cart."""
ORDER_ID = 7_000_001
"""The id of the recorded order. Both numbers are searched in parameters, where a small number would be ambiguous."""
BODY = {
    "email": "robin@example.org",
    "address": {"name": "Robin", "line1": "Lindenweg 4", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}
RETURNS_ID = "INSERT INTO orders "
"""The statement whose result begins with the order id, which later statements need."""

FreshValues = dict[str, Any]
"""The values that are new in each checkout: cart, key, order, public_id, number, claim, lock, provider_id."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One recorded statement.

    Args:
        sql: as the driver received it.
        same: parameters that never change.
        fresh: for each parameter that changes, the function that makes it.
    """

    sql: str
    same: Mapping[str, Any]
    fresh: Mapping[str, Callable[[FreshValues], Any]]

    def run(self, cursor: psycopg.Cursor[Any], fresh: FreshValues) -> None:
        """Send the statement and read its result."""
        cursor.execute(self.sql, {**self.same, **{name: make(fresh) for name, make in self.fresh.items()}})
        rows: Sequence[Any] = cursor.fetchall() if cursor.description else ()
        if self.sql.startswith(RETURNS_ID):
            fresh["order"] = rows[0][0]


def create_app() -> Flask:
    """Record a checkout and build the application."""
    settings = load_settings()
    before, after = _record_transactions(settings)
    local = threading.local()
    provider = httpx.Client(
        base_url=str(settings.payments_url), headers={"Authorization": f"Bearer {settings.payments_api_key}"}
    )
    app = Flask(__name__)

    @app.get("/livez")
    def livez() -> str:
        return "alive"

    @app.post("/checkout/<cart>/<int:product>")
    def checkout(cart: str, product: int) -> Response:
        connection = local.__dict__.get("connection")
        if connection is None:
            connection = local.connection = psycopg.connect(str(settings.database_url), autocommit=True)
        body = request.get_json()
        fresh = _fresh(cart, product, request.headers["Idempotency-Key"])
        _play(connection, before, fresh)
        charge = {
            "amount": 1000,
            "currency": "EUR",
            "token": body["payment"]["token"],
            "metadata": {"order": fresh["number"]},
        }
        answer = provider.post("/charges", json=charge, headers={"Idempotency-Key": f"order-{fresh['public_id']}"})
        fresh["provider_id"] = answer.json()["id"]
        _play(connection, after, fresh)
        return Response('{"order":{}}', status=201, mimetype="application/json")

    return app


def _play(connection: psycopg.Connection[Any], statements: Sequence[Statement], fresh: FreshValues) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        for statement in statements:
            statement.run(cursor, fresh)


def _fresh(cart: str, product: int, key: str) -> FreshValues:
    name = secrets.token_hex(8)
    return {
        "cart": cart,
        "product": product,
        "key": key,
        "public_id": f"ord_{name}",
        "number": f"S-{name}",
        "claim": uuid.uuid4(),
        "lock": secrets.randbits(62),
    }


def _record_transactions(settings: Settings) -> tuple[list[Statement], list[Statement]]:
    """Check out once in this process, and return the statements of the two transactions."""
    runtime = build(settings)
    try:
        transactions = _record(runtime, os.environ[CART_VARIABLE])
    finally:
        runtime.close()
    before, after = (statements for statements in transactions if len(statements) > 1)
    names = _fresh_values(before, after)
    return [_statement(*recorded, names) for recorded in before], [_statement(*recorded, names) for recorded in after]


RecordedStatements = list[tuple[str, dict[str, Any]]]


def _record(runtime: ProcessRuntime, cart: str) -> list[RecordedStatements]:
    app, engine = create_store(runtime), runtime.database.engine
    transactions: list[RecordedStatements] = []
    with engine.begin() as connection:
        connection.execute(text("SELECT setval(pg_get_serial_sequence('orders', 'id'), :id, false)"), {"id": ORDER_ID})
    event.listen(engine, "begin", lambda connection: transactions.append([]))
    event.listen(
        engine,
        "before_cursor_execute",
        lambda c, cursor, sql, parameters, *_: transactions[-1].append((sql, dict(parameters))),
    )
    client = app.test_client()
    with client.session_transaction() as session:
        session["cart"] = cart
    answer = client.post("/api/v1/checkout", json=BODY, headers={"Idempotency-Key": "the-recorded-key"})
    if answer.status_code != 201:
        raise RuntimeError(answer.text)
    return transactions


def _fresh_values(before: RecordedStatements, after: RecordedStatements) -> dict[Any, str]:
    """Return the recorded values that are new in each checkout, each with its name."""
    fresh: dict[Any, str] = {
        uuid.UUID(os.environ[CART_VARIABLE]): "cart",
        os.environ[CART_VARIABLE]: "cart",
        "the-recorded-key": "key",
        ORDER_ID: "order",
        RECORDED_PRODUCT: "product",
    }
    names = {"public_id": "public_id", "number": "number", "claim": "claim", "lock": "lock", "known_as": "provider_id"}
    for _, parameters in (*before, *after):
        fresh |= {parameters[column]: name for column, name in names.items() if parameters.get(column) is not None}
    return fresh


def _statement(sql: str, parameters: Mapping[str, Any], names: Mapping[Any, str]) -> Statement:
    fresh = {name: make for name, value in parameters.items() if (make := _make_parameter(value, names)) is not None}
    return Statement(sql, {name: value for name, value in parameters.items() if name not in fresh}, fresh)


def _make_parameter(value: Any, names: Mapping[Any, str]) -> Callable[[FreshValues], Any] | None:
    """Return a function that makes a parameter for each checkout; ``None`` if the parameter never changes."""
    if isinstance(value, (Jsonb, bytes, memoryview, bool, datetime.datetime)) or value is None:
        return None
    if isinstance(value, (int, uuid.UUID)):
        name = names.get(value)
        return None if name is None else lambda fresh: fresh[name]
    if isinstance(value, list):
        makers = [(_make_parameter(item, names), item) for item in value]
        return lambda fresh: [make(fresh) if make else item for make, item in makers]
    if isinstance(value, str):
        parts = [(old, name) for old, name in names.items() if isinstance(old, str) and old in value]
        if parts:
            return lambda fresh: _replace_parts(value, parts, fresh)
    return None


def _replace_parts(value: str, parts: Sequence[tuple[str, str]], fresh: FreshValues) -> str:
    for old, name in parts:
        value = value.replace(old, str(fresh[name]))
    return value
