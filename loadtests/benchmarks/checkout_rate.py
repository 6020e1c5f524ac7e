"""Checkouts a second: the store compared with a bare Flask view that runs the same SQL and the same charge.

    .venv/bin/python loadtests/benchmarks/checkout_rate.py [--rounds N] [--checkouts N] [--clients N]

Gunicorn serves both with the store's own configuration, and both use the same PostgreSQL and payments simulator. Each
client checks out prepared carts, one after the other; each cart has one piece of one of fifty products. The bare view
(``bare_checkout.py``) replays the statements of the store's own checkout, each in a round trip of its own; the store
pipelines some of them. The two are measured in turn, and the ratio is computed for each round. Clients, database and
simulator run on the same machine, so the ratio compares two whole systems. Other work on the machine slows both, and
mostly the side that computes more in its two processes; so the script prints the processor time too.

Promise: at least 0.6 of the bare view. Exit code 1 if it is broken.
"""

import argparse
import http.client
import json
import secrets
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import processor_time
from arms import interleaved, show
from bare_checkout import BODY, CART_VARIABLE, RECORDED_PRODUCT
from own_database import own_database
from servers import UNLIMITED, is_answering, running
from sqlalchemy import text

from shop.app import create_app
from shop.database.engine import build_engine
from shop.settings import Settings
from shop.stack import http_servers
from shop.stack.program import ServerProgram, free_port
from shop.wiring import build

BARE = (
    sys.executable,
    "-m",
    "gunicorn",
    "-c",
    "python:shop.stack.gunicorn_conf",
    "--preload",
    "bare_checkout:create_app()",
)
"""Gunicorn loads the application before the fork, so one recording serves all workers."""
PRODUCTS = 50
PROMISE = 0.6
WARM_UP = 60
"""Checkouts before the first measurement, which open connections and prepare statements."""
TIMEOUT_S = 30
PATH = "/api/v1/checkout"


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """One prepared checkout request."""

    path: str
    cookie: str


class BenchmarkSide:
    """One of the two sides, which prepares its carts.

    Args:
        settings: the settings of the store.
        port: the port of the side.
        bare: whether it is the bare view, which reads the cart from the path.
    """

    def __init__(self, settings: Settings, port: int, *, bare: bool) -> None:
        self._settings = settings
        self._port = port
        self._bare = bare
        self.spent_ms: Counter[str] = Counter()
        """Milliseconds of processor time during the measurements, by part."""

    def rate(self, count: int, clients: int) -> float:
        """Check out so many carts; return the checkouts a second.

        Raises:
            RuntimeError: a checkout did not get status 201.
        """
        requests = self._prepare_requests(count)
        before = processor_time.processor_ms()
        with ThreadPoolExecutor(clients) as pool:
            began = time.perf_counter()
            list(pool.map(self._send, [requests[number::clients] for number in range(clients)]))
            took_s = time.perf_counter() - began
        self.spent_ms += processor_time.processor_ms() - before
        return count / took_s

    def _prepare_requests(self, count: int) -> list[CheckoutRequest]:
        carts = fill_carts(self._settings, count)
        if self._bare:
            return [CheckoutRequest(f"/checkout/{cart}/{product}", "") for cart, product in carts.items()]
        return [CheckoutRequest(PATH, cookie) for cookie in cart_cookies(self._settings, list(carts))]

    def _send(self, requests: list[CheckoutRequest]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        body = json.dumps(BODY)
        for checkout in requests:
            headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(8)}
            connection.request(
                "POST", checkout.path, body, headers | ({"Cookie": checkout.cookie} if checkout.cookie else {})
            )
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != http.client.CREATED:
                raise RuntimeError(f"{checkout.path}: {answer.status} {content[:300]!r}")
        connection.close()


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--checkouts", type=int, default=300, help="Checkouts of each side in each round.")
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    with own_database(PRODUCTS) as own, ExitStack() as stack:
        settings = _serve(stack, own)
        bare_port = _serve_bare(stack, settings)
        sides = {
            "store": BenchmarkSide(settings, settings.port, bare=False),
            "bare Flask view": BenchmarkSide(settings, bare_port, bare=True),
        }
        for side in sides.values():
            side.rate(WARM_UP, arguments.clients)
            side.spent_ms.clear()
        arms = {
            name: lambda side=side: side.rate(arguments.checkouts, arguments.clients) for name, side in sides.items()
        }
        rates = interleaved(arms, arguments.rounds)
    ratio = show(f"checkout, {arguments.clients} clients, {arguments.checkouts} a round", "checkouts/s", rates)
    spent_ms = {name: side.spent_ms for name, side in sides.items()}
    processor_time.show("processor time a checkout", spent_ms, arguments.rounds * arguments.checkouts)
    print(f"  promised at least {PROMISE}: {'kept' if ratio >= PROMISE else 'BROKEN'}")
    return int(ratio < PROMISE)


def fill_carts(settings: Settings, count: int, first: int = 1) -> dict[str, int]:
    """Create carts with one piece each, and enough stock; return the product id of each cart id."""
    carts = {str(uuid.uuid4()): 1 + (first - 1 + number) % PRODUCTS for number in range(count)}
    engine = build_engine(settings)
    with engine.begin() as connection:
        rows = [{"cart": cart, "product": product} for cart, product in carts.items()]
        connection.execute(text("UPDATE stock_items SET on_hand = 1000000, received = 1000000"))
        connection.execute(text("INSERT INTO carts (id) VALUES (:cart)"), rows)
        connection.execute(
            text(
                "INSERT INTO cart_items (cart_id, product_id, quantity, seen_price_amount)"
                " VALUES (:cart, :product, 1, 1000)"
            ),
            rows,
        )
    engine.dispose()
    return carts


def cart_cookies(settings: Settings, carts: list[str]) -> list[str]:
    """Return the session cookie of a browser for each cart."""
    runtime = build(settings)
    app = create_app(runtime)
    cookies = []
    for cart in carts:
        client = app.test_client()
        with client.session_transaction() as session:
            session["cart"] = cart
        cookies += [f"{cookie.key}={cookie.value}" for cookie in (client._cookies or {}).values()]
    runtime.close()
    return cookies


def _serve(stack: ExitStack, own: Settings) -> Settings:
    """Start simulator and store."""
    home = own.var_dir
    home.mkdir()
    payments_port = free_port()
    settings = own.model_copy(
        update={
            "payments_url": f"http://127.0.0.1:{payments_port}",
            "payments_api_key": secrets.token_hex(8),
            "payments_webhook_secret": secrets.token_hex(8),
            "port": free_port(),
            "metrics_port": free_port(),
            "writes_per_minute": UNLIMITED,
        }
    )
    stack.enter_context(running(http_servers.payments(settings, payments_port), home))
    stack.enter_context(running(http_servers.web(settings), home))
    return settings


def _serve_bare(stack: ExitStack, settings: Settings) -> int:
    port, home = free_port(), settings.var_dir / "bare"
    home.mkdir()
    bare = settings.model_copy(update={"port": port, "metrics_port": free_port(), "var_dir": home})
    (cart,) = fill_carts(settings, 1, RECORDED_PRODUCT)
    env = {**bare.as_environment(), CART_VARIABLE: cart, "PYTHONPATH": str(Path(__file__).parent)}
    stack.enter_context(running(ServerProgram("bare", BARE, port, lambda: is_answering(port, "/livez"), env), home))
    return port


if __name__ == "__main__":
    sys.exit(main())
