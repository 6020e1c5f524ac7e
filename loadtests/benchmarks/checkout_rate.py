"""Checkouts a second: the store beside a bare Flask view that runs the same SQL and the same charge.

    .venv/bin/python loadtests/benchmarks/checkout_rate.py [--rounds N] [--checkouts N] [--clients N]

Both are served by gunicorn with the store's own configuration, over the same PostgreSQL and payments simulator. Each
client sends checkouts of prepared carts, one after the other; the carts hold one piece each of fifty products. The bare
view (``bare_checkout.py``) plays back the statements that the store's own checkout sent, every one a round trip of its
own; the store lets some travel together. The two are measured in turn, and the ratio is round by round. Client,
database and simulator share the machine with both: the ratio is of two whole systems, as a shopper meets them. Whoever
else is at work on the machine takes from both, and most from the side that computes most in its two processes: so the
processor time is told as well.

Promise: at least 0.6 of the bare view. Exit code 1 when it is broken.
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
from servers import answers, running
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
"""Loaded before the fork, so that one recording is made for all its workers."""
PRODUCTS = 50
PROMISE = 0.6
WARM_UP = 60
"""Checkouts before the first measurement: connections open, statements prepared."""
TIMEOUT_S = 30
PATH = "/api/v1/checkout"


@dataclass(frozen=True, slots=True)
class Ask:
    """One checkout to send."""

    path: str
    cookie: str


class Side:
    """One of the two, with its supply of carts.

    Args:
        settings: of the store.
        port: where it listens.
        bare: whether it is the bare view, which takes the cart from the path.
    """

    def __init__(self, settings: Settings, port: int, *, bare: bool) -> None:
        self._settings = settings
        self._port = port
        self._bare = bare
        self.spent: Counter[str] = Counter()
        """Seconds of processor time by part, while it was measured."""

    def rate(self, count: int, clients: int) -> float:
        """Check out so many carts; return how many a second.

        Raises:
            RuntimeError: one was not answered with 201.
        """
        asks = self._asks(count)
        before = processor_time.spent()
        with ThreadPoolExecutor(clients) as pool:
            began = time.perf_counter()
            list(pool.map(self._send, [asks[number::clients] for number in range(clients)]))
            took_s = time.perf_counter() - began
        self.spent += processor_time.spent() - before
        return count / took_s

    def _asks(self, count: int) -> list[Ask]:
        carts = fill(self._settings, count)
        if self._bare:
            return [Ask(f"/checkout/{cart}/{product}", "") for cart, product in carts.items()]
        return [Ask(PATH, cookie) for cookie in cookies(self._settings, list(carts))]

    def _send(self, asks: list[Ask]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        body = json.dumps(BODY)
        for ask in asks:
            headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(8)}
            connection.request("POST", ask.path, body, headers | ({"Cookie": ask.cookie} if ask.cookie else {}))
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.client.CREATED:
                raise RuntimeError(f"{ask.path}: {answer.status} {said[:300]!r}")
        connection.close()


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--checkouts", type=int, default=300, help="A round and side.")
    parser.add_argument("--clients", type=int, default=8)
    asked = parser.parse_args()
    with own_database(PRODUCTS) as found, ExitStack() as stack:
        settings = _serve(stack, found)
        bare_port = _serve_bare(stack, settings)
        sides = {
            "store": Side(settings, settings.port, bare=False),
            "bare Flask view": Side(settings, bare_port, bare=True),
        }
        for side in sides.values():
            side.rate(WARM_UP, asked.clients)
            side.spent.clear()
        arms = {name: lambda side=side: side.rate(asked.checkouts, asked.clients) for name, side in sides.items()}
        rates = interleaved(arms, asked.rounds)
    ratio = show(f"checkout, {asked.clients} clients, {asked.checkouts} a round", "checkouts/s", rates)
    spent = {name: side.spent for name, side in sides.items()}
    processor_time.show("processor time a checkout", spent, asked.rounds * asked.checkouts)
    print(f"  promised at least {PROMISE}: {'kept' if ratio >= PROMISE else 'BROKEN'}")
    return int(ratio < PROMISE)


def fill(settings: Settings, count: int, first: int = 1) -> dict[str, int]:
    """Make so many carts with a piece in each, and enough on the shelf; return their ids, each with its product's."""
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


def cookies(settings: Settings, carts: list[str]) -> list[str]:
    """Return what a browser with each of the carts would send."""
    runtime = build(settings)
    app = create_app(runtime)
    found = []
    for cart in carts:
        client = app.test_client()
        with client.session_transaction() as session:
            session["cart"] = cart
        found += [f"{cookie.key}={cookie.value}" for cookie in (client._cookies or {}).values()]
    runtime.close()
    return found


def _serve(stack: ExitStack, found: Settings) -> Settings:
    """Start simulator and store."""
    home = found.var_dir
    home.mkdir()
    payments_port = free_port()
    settings = found.model_copy(
        update={
            "payments_url": f"http://127.0.0.1:{payments_port}",
            "payments_api_key": secrets.token_hex(8),
            "payments_webhook_secret": secrets.token_hex(8),
            "port": free_port(),
            "metrics_port": free_port(),
        }
    )
    stack.enter_context(running(http_servers.payments(settings, payments_port), home))
    stack.enter_context(running(http_servers.web(settings), home))
    return settings


def _serve_bare(stack: ExitStack, settings: Settings) -> int:
    port, home = free_port(), settings.var_dir / "bare"
    home.mkdir()
    bare = settings.model_copy(update={"port": port, "metrics_port": free_port(), "var_dir": home})
    (cart,) = fill(settings, 1, RECORDED_PRODUCT)
    env = {**bare.as_environment(), CART_VARIABLE: cart, "PYTHONPATH": str(Path(__file__).parent)}
    stack.enter_context(running(ServerProgram("bare", BARE, port, lambda: answers(port, "/livez"), env), home))
    return port


if __name__ == "__main__":
    sys.exit(main())
