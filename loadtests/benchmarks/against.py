"""Compares the store with another commit: pages, edits, checkouts and memory of both builds, measured in turn.

    .venv/bin/python loadtests/benchmarks/against.py --against COMMIT [--rounds 5] [--seconds 3] [--size s]

The script clones both commits, the other one and HEAD, installs each from its own lock files and starts each with its
own ``bin/shop up``. It measures over HTTP, so it can compare any two commits with the same contract. Memory is the
proportional size (PSS) of the supervisor and its descendants, soon after each of several starts; starts differ by some
MB, since PostgreSQL counts the memory that it has touched. The figure needs /proc, so it exists only on Linux. An edit
is a new price; its time runs from its answer until the edge shows the price.

Exit code 1 if a median of HEAD is worse than all rounds of the other commit: outside their spread.
"""

import argparse
import http.client
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import footprint
from arms import interleaved, show
from keep_alive import requests_per_second
from servers import set_switch

from shop.lab.source_addresses import new_source_address
from shop.stack.program import free_port

ROOT = Path(__file__).resolve().parents[2]
READY = ".venv/.ready-to-run"
PRODUCTS = 20
CLIENTS = 8
CHECKOUTS = 160
COLD_VISITS = 60
EDITS = 20
SETTLE_S = 2.0
TIMEOUT_S = 30
ADMIN = {"email": "admin@shop.test", "password": "let-me-shop"}
CHECKOUT_BODY = {
    "email": "benchmark@shop.test",
    "address": {"name": "Bench", "line1": "1 Bench Street", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}
LOCAL_SWITCHES = {"cache.edge": "off"}
COLD_SWITCHES = {"cache.edge": "off", "cache.local": "off", "cache.shared": "off"}


@dataclass(frozen=True)
class HttpReply:
    """The answer to one request."""

    status: int
    cookie: str
    body: bytes


class BuiltStore:
    """One commit of the store, cloned, installed and running.

    Args:
        commit: the commit.
        home: an empty directory of its own.
        size: the size of the demo data.
    """

    def __init__(self, commit: str, home: Path, size: str) -> None:
        self.port = free_port()
        self._home = home
        subprocess.run(["git", "clone", "--quiet", "--no-checkout", ROOT, home], check=True)
        subprocess.run(["git", "-C", home, "checkout", "--quiet", "--detach", commit], check=True)
        subprocess.run(["make", "--no-print-directory", READY], cwd=home, check=True, stdout=subprocess.DEVNULL)
        self._size = size
        self._start()
        self.slugs = [item["slug"] for item in self._json("/api/v1/products?in_stock=true&limit=50")["items"]][
            :PRODUCTS
        ]
        self._admin_cookie = self.request("POST", "/api/v1/session", ADMIN).cookie
        self._set_stock()

    def stop(self) -> None:
        """Stop the stack."""
        self._shop("down")

    def memory_mb(self) -> float:
        """Restart the store; return the proportional size of all its processes, in MB."""
        self.stop()
        self._start()
        time.sleep(SETTLE_S)
        output = self._shop("status", "--json")
        roots = [process["pid"] for process in json.loads(output)["processes"] if process.get("pid")]
        return footprint.proportional_mb(roots)

    def request(self, method: str, path: str, body: object = None, cookie: str = "", key: str = "") -> HttpReply:
        """Send one request, on a connection of its own, as a client of its own: the store limits a client's writes."""
        address = new_source_address("http://127.0.0.1")
        source = (address, 0) if address else None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S, source_address=source)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Cookie": cookie} if cookie else {}
        headers |= {"Idempotency-Key": key} if key else {}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            set_cookie = (answer.headers.get("Set-Cookie") or "").partition(";")[0]
            return HttpReply(answer.status, set_cookie or cookie, answer.read())
        finally:
            connection.close()

    def checkout_rate(self) -> float:
        """Return the checkouts of prepared carts a second."""
        carts = [self._cart(self.slugs[number % len(self.slugs)]) for number in range(CHECKOUTS)]
        began = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            replies = list(pool.map(self._check_out, carts))
        took_s = time.perf_counter() - began
        if failed := [reply for reply in replies if reply.status != http.client.CREATED]:
            raise RuntimeError(f"{len(failed)} checkouts failed, one with {failed[0]}")
        return CHECKOUTS / took_s

    def cold_ms(self) -> float:
        """Return the median time of a product page without any cache, in ms."""
        times = []
        for number in range(COLD_VISITS):
            began = time.perf_counter()
            self.request("GET", f"/p/{self.slugs[number % len(self.slugs)]}")
            times.append((time.perf_counter() - began) * 1000)
        return statistics.median(times)

    def edit_ms(self) -> float:
        """Return the median time from the answer to an edit until the edge shows its price, in ms."""
        slug, times = self.slugs[0], []
        for _ in range(EDITS):
            price = 100 + secrets.randbelow(100_000)
            self.request("GET", f"/api/v1/products/{slug}")  # fills the caches with the old price
            self._patch(slug, {"price": {"amount": price, "currency": "EUR"}})
            began = time.perf_counter()
            while json.loads(self.request("GET", f"/api/v1/products/{slug}").body)["price"]["amount"] != price:
                pass
            times.append((time.perf_counter() - began) * 1000)
        return statistics.median(times)

    def set_switches(self, values: Mapping[str, str]) -> None:
        """Set switches, and wait until every process applies them."""
        for name, value in values.items():
            set_switch(self.port, name, value)

    def _cart(self, slug: str) -> str:
        return self.request("POST", "/api/v1/cart/items", {"product": slug, "quantity": 1}).cookie

    def _check_out(self, cookie: str) -> HttpReply:
        return self.request("POST", "/api/v1/checkout", CHECKOUT_BODY, cookie, secrets.token_hex(8))

    def _set_stock(self) -> None:
        for slug in self.slugs:
            self._patch(slug, {"on_hand": 1_000_000})

    def _patch(self, slug: str, change: Mapping[str, object]) -> None:
        reply = self.request("PATCH", f"/api/v1/admin/products/{slug}", change, self._admin_cookie)
        if reply.status != http.client.OK:
            raise RuntimeError(f"{slug} was not edited: {reply}")

    def _start(self) -> None:
        self._shop("up", "--detach", "--port", str(self.port), "--size", self._size)

    def _json(self, path: str) -> dict[str, list[dict[str, str]]]:
        document: dict[str, list[dict[str, str]]] = json.loads(self.request("GET", path).body)
        return document

    def _shop(self, *words: str) -> str:
        command: list[str | Path] = [self._home / ".venv" / "bin" / "shop", *words]
        env = {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")}
        return subprocess.run(command, cwd=self._home, env=env, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", required=True, metavar="COMMIT", help="The commit to compare HEAD with.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--size", default="s")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the store ends with this process
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-against-")))
        home.chmod(0o755)  # if root runs this, PostgreSQL runs as another account
        stores = {}
        for name, commit in {"HEAD": "HEAD", arguments.against: arguments.against}.items():
            stores[name] = BuiltStore(_resolve_commit(commit), home / name, arguments.size)
            stack.callback(stores[name].stop)
        worse = [
            _compare(
                "memory of all after a start",
                "MB",
                stores,
                {},
                BuiltStore.memory_mb,
                arguments.rounds,
                lower=True,
            ),
            _compare(
                "product page from the edge", "requests/s", stores, {}, _page_rate(arguments.seconds), arguments.rounds
            ),
            _compare(
                "the same from local memory",
                "requests/s",
                stores,
                LOCAL_SWITCHES,
                _page_rate(arguments.seconds),
                arguments.rounds,
            ),
            _compare("the same cold", "ms", stores, COLD_SWITCHES, BuiltStore.cold_ms, arguments.rounds, lower=True),
            _compare(
                "an edit until the edge shows it", "ms", stores, {}, BuiltStore.edit_ms, arguments.rounds, lower=True
            ),
            _compare("checkouts", "checkouts/s", stores, {}, BuiltStore.checkout_rate, arguments.rounds),
        ]
    return int(any(worse))


def _page_rate(seconds: float) -> Callable[[BuiltStore], float]:
    return lambda store: requests_per_second(store.port, f"/p/{store.slugs[0]}", seconds, CLIENTS)


def _compare(
    title: str,
    unit: str,
    stores: Mapping[str, BuiltStore],
    switches: Mapping[str, str],
    measure: Callable[[BuiltStore], float],
    rounds: int,
    *,
    lower: bool = False,
) -> bool:
    """Measure both stores and print the figures; return whether HEAD is worse than all rounds of the other commit."""
    for store in stores.values():
        store.set_switches(switches)
        measure(store)  # a first, unused time: it opens connections, prepares statements and fills caches
    figures = interleaved({name: partial(measure, store) for name, store in stores.items()}, rounds)
    for store in stores.values():
        store.set_switches(dict.fromkeys(switches, "on"))
    show(title, unit, figures)
    (_, ours), (_, others) = figures.items()
    median = statistics.median(ours)
    worse = median > max(others) if lower else median < min(others)
    print(f"  {'WORSE than every round of the other' if worse else 'within its spread, or better'}")
    return worse


def _resolve_commit(commit: str) -> str:
    parsed = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", f"{commit}^{{commit}}"], capture_output=True, text=True, check=False
    )
    if parsed.returncode:
        raise SystemExit(f"{commit} is not a commit of this repository.")
    return parsed.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
