"""What an idempotency key costs: round trips to PostgreSQL and time, beside the same request without one.

    .venv/bin/python loadtests/benchmarks/idempotency_cost.py [--rounds N] [--requests N]

One shopper puts a mug into her cart, over and over: in a store whose views were never taught about keys, in the real
one without a key, with a key that is new each time, and with one that was used (a replay). Round trips are counted on
the wire by a relay of their own; times are taken without it, the four in turn.

Promises: a request without a key costs no round trip more than in the store without the pattern, one with a key at most
one more. Exit code 1 when one is broken.
"""

import argparse
import statistics
import sys
import time
import uuid
from collections.abc import Callable

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
UNTAUGHT, WITHOUT, WITH, REPLAY = "views never taught", "taught, without a key", "with a new key", "with a used key"
MOST_EXTRA = 1
PREPARED_AFTER = 10
"""By then the driver has prepared every statement, which takes a round trip of its own, once a connection."""

Ask = Callable[[], None]


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=200, help="A round and arm.")
    asked = parser.parse_args()
    with own_database(1) as settings:
        trips = _count(settings)
        runtime = build(settings)
        arms = _arms(runtime)
        found = interleaved(
            {name: lambda ask=ask: _median_ms(ask, asked.requests) for name, ask in arms.items()},  # type: ignore[misc]
            asked.rounds,
        )
        runtime.close()
    for name in (WITHOUT, WITH, REPLAY):
        show(f"{name}, beside {UNTAUGHT}", "ms", {name: found[name], UNTAUGHT: found[UNTAUGHT]})
    print("round trips to PostgreSQL a request")
    for name, count in trips.items():
        print(f"  {name:<34} {count:>10}")
    return int(trips[WITHOUT] != trips[UNTAUGHT] or trips[WITH] > trips[UNTAUGHT] + MOST_EXTRA)


def _count(settings: Settings) -> dict[str, int]:
    """Return how often one request of each kind goes to PostgreSQL and back."""
    address = make_url(str(settings.database_url))
    with CountingRelay(address.port or 0) as relay:
        relayed = address.set(port=relay.port).render_as_string(hide_password=False)
        runtime = build(settings.model_copy(update={"database_url": relayed}))
        found = {}
        for name, ask in _arms(runtime).items():
            for _ in range(PREPARED_AFTER):
                ask()
            before = relay.count
            ask()
            found[name] = relay.count - before
        runtime.close()
    return found


def _arms(runtime: ProcessRuntime) -> dict[str, Ask]:
    with runtime.database.transaction() as session:
        cart = session.scalar(text("INSERT INTO carts (id) VALUES (gen_random_uuid()) RETURNING id"))
    taught, untaught = (_shopper(app, str(cart)) for app in (create_app(runtime), _forgetting(create_app(runtime))))

    def ask(client: FlaskClient, key: Callable[[], dict[str, str]]) -> Ask:
        def once() -> None:
            answer = client.post(PATH, json=BODY, headers=key())
            if answer.status_code != 200:
                raise RuntimeError(answer.text)

        return once

    return {
        UNTAUGHT: ask(untaught, dict),
        WITHOUT: ask(taught, dict),
        WITH: ask(taught, lambda: {"Idempotency-Key": uuid.uuid4().hex}),
        REPLAY: ask(taught, lambda: {"Idempotency-Key": "the same"}),
    }


def _forgetting(app: Flask) -> Flask:
    """Put the view back as it was before it was taught about keys."""
    app.view_functions[VIEW] = app.view_functions[VIEW].__wrapped__  # type: ignore[attr-defined]
    return app


def _shopper(app: Flask, cart: str) -> FlaskClient:
    client = app.test_client()
    with client.session_transaction() as session:
        session["cart"] = cart
    return client


def _median_ms(ask: Ask, requests: int) -> float:
    times = []
    for _ in range(requests):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    sys.exit(main())
