"""The other side of ``checkout_rate.py``: a Flask view that runs a checkout's SQL and its charge, and nothing else.

The statements are not written down here, where they would grow old: at its start the application lets the store's own
code check out once and keeps the tape, every statement with its parameters. The view plays it with fresh ids in place
of the recorded ones: the first transaction, the charge, the second. It decides, checks and renders nothing.
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
"""A cart that is prepared for the recording."""
RECORDED_PRODUCT = 50
"""What lies in it."""
ORDER_ID = 7_000_001
"""What the recorded order is numbered. Both numbers are found again in parameters, where a 1 could be anything."""
BODY = {
    "email": "robin@example.org",
    "address": {"name": "Robin", "line1": "Lindenweg 4", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}
RETURNS_ID = "INSERT INTO orders "
"""The statement whose answer begins with the id that later ones carry."""

Fresh = dict[str, Any]
"""What is new in each checkout: cart, key, order, public_id, number, claim, lock, provider_id."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the tape.

    Args:
        sql: as the driver got it.
        same: parameters that never change.
        fresh: parameters that do, each with what makes it.
    """

    sql: str
    same: Mapping[str, Any]
    fresh: Mapping[str, Callable[[Fresh], Any]]

    def run(self, cursor: psycopg.Cursor[Any], fresh: Fresh) -> None:
        """Send it and take its answer."""
        cursor.execute(self.sql, {**self.same, **{name: make(fresh) for name, make in self.fresh.items()}})
        rows = cursor.fetchall() if cursor.description else ()
        if self.sql.startswith(RETURNS_ID):
            fresh["order"] = rows[0][0]


def create_app() -> Flask:
    """Record a checkout and build the application."""
    settings = load_settings()
    before, after = _tape(settings)
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


def _play(connection: psycopg.Connection[Any], statements: Sequence[Statement], fresh: Fresh) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        for statement in statements:
            statement.run(cursor, fresh)


def _fresh(cart: str, product: int, key: str) -> Fresh:
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


def _tape(settings: Settings) -> tuple[list[Statement], list[Statement]]:
    """Check out once, in this process, and return the statements of the two transactions."""
    runtime = build(settings)
    try:
        transactions = _record(runtime, os.environ[CART_VARIABLE])
    finally:
        runtime.close()
    before, after = (found for found in transactions if len(found) > 1)
    known = _recorded(before, after)
    return [_statement(*one, known) for one in before], [_statement(*one, known) for one in after]


Recorded = list[tuple[str, dict[str, Any]]]


def _record(runtime: ProcessRuntime, cart: str) -> list[Recorded]:
    app, engine = create_store(runtime), runtime.database.engine
    transactions: list[Recorded] = []
    with engine.begin() as connection:
        connection.execute(text("SELECT setval(pg_get_serial_sequence('orders', 'id'), :id, false)"), {"id": ORDER_ID})
    event.listen(engine, "begin", lambda connection: transactions.append([]))
    event.listen(
        engine, "before_cursor_execute", lambda c, cursor, sql, given, *_: transactions[-1].append((sql, dict(given)))
    )
    client = app.test_client()
    with client.session_transaction() as session:
        session["cart"] = cart
    answer = client.post("/api/v1/checkout", json=BODY, headers={"Idempotency-Key": "the-recorded-key"})
    if answer.status_code != 201:
        raise RuntimeError(answer.text)
    return transactions


def _recorded(before: Recorded, after: Recorded) -> dict[Any, str]:
    """Return the recorded values that are new each time, with the name of what they are."""
    found: dict[Any, str] = {
        uuid.UUID(os.environ[CART_VARIABLE]): "cart",
        os.environ[CART_VARIABLE]: "cart",
        "the-recorded-key": "key",
        ORDER_ID: "order",
        RECORDED_PRODUCT: "product",
    }
    names = {"public_id": "public_id", "number": "number", "claim": "claim", "lock": "lock", "known_as": "provider_id"}
    for _, given in (*before, *after):
        found |= {given[said]: name for said, name in names.items() if given.get(said) is not None}
    return found


def _statement(sql: str, given: Mapping[str, Any], known: Mapping[Any, str]) -> Statement:
    fresh = {name: make for name, value in given.items() if (make := _maker(value, known)) is not None}
    return Statement(sql, {name: value for name, value in given.items() if name not in fresh}, fresh)


def _maker(value: Any, known: Mapping[Any, str]) -> Callable[[Fresh], Any] | None:
    """Return what makes a parameter anew; ``None`` where it stays."""
    if isinstance(value, (Jsonb, bytes, memoryview, bool, datetime.datetime)) or value is None:
        return None
    if isinstance(value, (int, uuid.UUID)):
        name = known.get(value)
        return None if name is None else lambda fresh: fresh[name]
    if isinstance(value, list):
        makers = [_maker(one, known) or (lambda fresh, one=one: one) for one in value]
        return lambda fresh: [make(fresh) for make in makers]
    if isinstance(value, str):
        parts = [(old, name) for old, name in known.items() if isinstance(old, str) and old in value]
        if parts:
            return lambda fresh: _replaced(value, parts, fresh)
    return None


def _replaced(value: str, parts: Sequence[tuple[str, str]], fresh: Fresh) -> str:
    for old, name in parts:
        value = value.replace(old, str(fresh[name]))
    return value
