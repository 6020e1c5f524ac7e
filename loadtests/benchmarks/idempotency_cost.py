"""Measures the cost of an idempotency key: round trips to PostgreSQL and time, compared with a request without a key.

    .venv/bin/python loadtests/benchmarks/idempotency_cost.py [--rounds N] [--requests N]

One shopper puts a mug into her cart repeatedly, in four arms: in a store without the pattern, in the real store without
a key, with a new key each time, and with a used key (a replay). A relay counts the round trips on the wire. Times are
measured without the relay, the four arms in turn.

Promises: a request without a key needs no more round trips than in the store without the pattern; a request with a key
needs at most one more. Exit code 1 if one is broken.
"""

import argparse
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial

from arms import interleaved, show
from flask import Flask
from flask.testing import FlaskClient
from own_database import own_database
from round_trips import CountingRelay
from sqlalchemy import make_url, text

from shop.app import create_app
from shop.settings import Settings
from shop.wiring import ProcessRuntime, build

VIEW = "cart_api.add_item"
PATH, BODY = "/api/v1/cart/items", {"product": "thing-1", "quantity": 1}
NO_PATTERN, WITHOUT, WITH, REPLAY = "without the pattern", "without a key", "with a new key", "with a used key"
MOST_EXTRA = 1
PREPARED_AFTER = 10
"""After so many requests, the driver has prepared every statement, each with one more round trip."""

SendRequest = Callable[[], None]


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=200, help="Requests of each arm in each round.")
    arguments = parser.parse_args()
    with own_database(1) as settings:
        trips = _count_round_trips(settings)
        runtime = build(settings)
        arms = _arms(runtime)
        figures = interleaved(
            {name: partial(_median_ms, send, arguments.requests) for name, send in arms.items()},
            arguments.rounds,
        )
        runtime.close()
    for name in (WITHOUT, WITH, REPLAY):
        show(f"{name}, compared with {NO_PATTERN}", "ms", {name: figures[name], NO_PATTERN: figures[NO_PATTERN]})
    print("round trips to PostgreSQL a request")
    for name, count in trips.items():
        print(f"  {name:<34} {count:>10}")
    return int(trips[WITHOUT] != trips[NO_PATTERN] or trips[WITH] > trips[NO_PATTERN] + MOST_EXTRA)


def _count_round_trips(settings: Settings) -> dict[str, int]:
    """Return the round trips to PostgreSQL of one request in each arm."""
    address = make_url(str(settings.database_url))
    with CountingRelay(address.port or 0) as relay:
        relayed = address.set(port=relay.port).render_as_string(hide_password=False)
        runtime = build(settings.model_copy(update={"database_url": relayed}))
        trips = {}
        for name, send in _arms(runtime).items():
            for _ in range(PREPARED_AFTER):
                send()
            before = relay.count
            send()
            trips[name] = relay.count - before
        runtime.close()
    return trips


def _arms(runtime: ProcessRuntime) -> dict[str, SendRequest]:
    with runtime.database.transaction() as session:
        cart = session.scalar(text("INSERT INTO carts (id) VALUES (gen_random_uuid()) RETURNING id"))
    with_keys, no_pattern = (
        _shopper(app, str(cart)) for app in (create_app(runtime), _without_keys(create_app(runtime)))
    )

    def sender(client: FlaskClient, key: Callable[[], dict[str, str]]) -> SendRequest:
        def send_once() -> None:
            answer = client.post(PATH, json=BODY, headers=key())
            if answer.status_code != 200:
                raise RuntimeError(answer.text)

        return send_once

    return {
        NO_PATTERN: sender(no_pattern, dict),
        WITHOUT: sender(with_keys, dict),
        WITH: sender(with_keys, lambda: {"Idempotency-Key": uuid.uuid4().hex}),
        REPLAY: sender(with_keys, lambda: {"Idempotency-Key": "the same"}),
    }


def _without_keys(app: Flask) -> Flask:
    """Remove the decorator for keys from the view."""
    app.view_functions[VIEW] = vars(app.view_functions[VIEW])["__wrapped__"]
    return app


def _shopper(app: Flask, cart: str) -> FlaskClient:
    client = app.test_client()
    with client.session_transaction() as session:
        session["cart"] = cart
    return client


def _median_ms(send: SendRequest, requests: int) -> float:
    times = []
    for _ in range(requests):
        began = time.perf_counter()
        send()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    sys.exit(main())
