"""Overload: what the store still serves in time when five times its capacity arrives, with and without protection.

    .venv/bin/python loadtests/benchmarks/overload.py [--rounds N] [--seconds S] [--multiple M]

The script starts a store of its own with every cache off. Where the platform can (Linux), the generator is pinned to
one core and the whole store to the other. Each client sends one request when it is due, never waits for another, and
gives up after two seconds; nine of ten requests browse, the others change a cart or check out. Each checkout is a
prepared one: its cart was filled before. First, the peak: the most requests answered within a second, of rising rates.
Then each arm gets a multiple of the peak, in turn. Goodput is the number of requests a second that were answered
within a second. A refusal's price is the processor time of the whole store for it, beside that for an answer.

Promises of the default (``gradient`` and ``codel``): goodput at least 0.9 of the peak; p99 of what is accepted less
than 3 times that of a quiet store; 0.95 of the checkouts succeed; a refusal costs at most 1/40 of an answer. Exit code
1 if one is broken. Where the store cannot be pinned, the figures are printed and not judged.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from arms import interleaved

from shop.lab.drivers.overload import wait_until_drained
from shop.lab.metrics_client import MetricsClient
from shop.lab.store_client import StoreClient
from shop.settings import PROJECT_ROOT
from shop.stack.program import free_port

STORE_CORE, GENERATOR_CORE = 0, 1
CAN_PIN = hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1
PATIENCE_S = 2.0
"""After this time a client gives up."""
IN_TIME_S = 1.0
CART_SHARE, CHECKOUT_SHARE = 0.07, 0.03
UNCACHED = {"cache.edge": "off", "cache.local": "off", "cache.shared": "off", "cache.browser": "off"}
ARMS: Mapping[str, Mapping[str, str]] = {
    "gradient, codel (default)": {"overload.shedding": "gradient", "overload.queue": "codel"},
    "aimd, codel": {"overload.shedding": "aimd", "overload.queue": "codel"},
    "no shedding, codel": {"overload.shedding": "off", "overload.queue": "codel"},
    "no shedding, adaptive lifo": {"overload.shedding": "off", "overload.queue": "adaptive-lifo"},
    "no shedding, fifo": {"overload.shedding": "off", "overload.queue": "fifo"},
}
DEFAULT = next(iter(ARMS))
DETAILS = {
    "email": "benchmark@shop.test",
    "address": {"name": "Bench", "line1": "1 Bench Street", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}
QUIET_RPS, QUIET_S = 4.0, 10.0
STEP, STEP_S = 1.25, 4.0
REFUSALS_S = 5.0
LEAD_S, MOST_LEADS = 1.0, 10
GOODPUT, SLOWER, CHECKOUTS, PRICE = 0.9, 3.0, 0.95, 1 / 40


@dataclass
class OfferedLoad:
    """What came of the requests of one phase."""

    seconds: float
    latencies_s: list[float] = field(default_factory=list)
    """Of the requests that succeeded."""
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Number of requests by kind and outcome: ok, refused, failed, gave up."""

    @property
    def goodput(self) -> float:
        """Return the requests a second that were answered in time."""
        return sum(latency <= IN_TIME_S for latency in self.latencies_s) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """Return a percentile of what succeeded."""
        return sorted(self.latencies_s)[int(share * (len(self.latencies_s) - 1))] * 1000 if self.latencies_s else 0.0

    def count(self, outcome: str) -> int:
        """Return the requests of one outcome."""
        return sum(count for (_, came), count in self.outcomes.items() if came == outcome)

    def share_ok(self, kind: str) -> float:
        """Return the share of one kind that succeeded."""
        offered = sum(count for (one, _), count in self.outcomes.items() if one == kind)
        return self.outcomes[kind, "ok"] / offered if offered else 1.0


class PinnedStore:
    """A store of its own, with every cache off, on one core if the platform can.

    Args:
        home: an empty directory.
    """

    def __init__(self, home: Path) -> None:
        self._environment = {**os.environ, "SHOP_VAR_DIR": str(home / "var")}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        if CAN_PIN:
            os.sched_setaffinity(0, {STORE_CORE})  # the store inherits it
        self.shop("up", "--detach", "--port", str(self.port), "--size", "s")
        if CAN_PIN:
            os.sched_setaffinity(0, {GENERATOR_CORE})
        processes = json.loads(self.shop("status", "--json"))["processes"]
        self._roots = [one["pid"] for one in processes if one["pid"]]
        self.client = httpx.Client(base_url=self.url, timeout=30)
        items = self.client.get("/api/v1/products?in_stock=true&limit=50").json()["items"]
        self.slugs = [item["slug"] for item in items]
        self._fill_stock()
        self.lab = StoreClient(self.url)
        self.metrics = MetricsClient(self.lab)
        self.set_switches(UNCACHED)

    def shop(self, *words: str) -> str:
        """Run a `shop` command; return its output."""
        command = [sys.executable, "-m", "shop.cli", *words]
        done = subprocess.run(
            command, env=self._environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=180
        )
        if done.returncode != 0:
            raise SystemExit(done.stdout + done.stderr)
        return done.stdout

    def set_switches(self, values: Mapping[str, str]) -> None:
        """Set switches, and wait until every web process applies them."""
        for name, value in values.items():
            self.lab.set_switch(name, value)
        self.lab.wait_applied()

    def processor_s(self) -> float:
        """Return the processor seconds of all its processes so far."""
        seen: dict[int, float] = {}
        for root in self._roots:
            with suppress(psutil.NoSuchProcess):
                for process in (psutil.Process(root), *psutil.Process(root).children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        seen[process.pid] = sum(process.cpu_times()[:2])
        return sum(seen.values())

    def cart(self) -> str:
        """Return the cookie of a guest with one piece in the cart."""
        slug = random.choice(self.slugs)
        answer = httpx.post(f"{self.url}/api/v1/cart/items", json={"product": slug}, timeout=30)
        return answer.raise_for_status().headers["Set-Cookie"].partition(";")[0]

    def carts(self, requests: float) -> list[str]:
        """Return more carts than so many requests need for their checkouts."""
        return [self.cart() for _ in range(round(2 * CHECKOUT_SHARE * requests))]

    def _fill_stock(self) -> None:
        account = {"email": "admin@shop.test", "password": "let-me-shop"}
        with httpx.Client(base_url=self.url, timeout=30) as admin:
            admin.post("/api/v1/session", json=account).raise_for_status()
            for slug in self.slugs:
                admin.patch(f"/api/v1/admin/products/{slug}", json={"on_hand": 100_000}).raise_for_status()


async def offer(store: PinnedStore, rate: float, seconds: float, carts: Sequence[str] = ()) -> OfferedLoad:
    """Send requests at a rate; the first checkouts of the schedule use the carts.

    Args:
        store: the store.
        rate: requests a second; each comes at a random time (Poisson).
        seconds: length of the schedule.
        carts: cookies of the prepared carts. Without one left, a request browses.
    """
    load, drawn, left, tasks = OfferedLoad(seconds), random.Random(7), list(carts), []
    began, due = time.perf_counter(), 0.0
    while (due := due + drawn.expovariate(rate)) < seconds:
        draw, slug = drawn.random(), drawn.choice(store.slugs)
        request = ("browse", _request("GET", f"/p/{slug}"))
        if draw < CHECKOUT_SHARE and left:
            key = {"Cookie": left.pop(), "Idempotency-Key": str(uuid.uuid4())}
            request = ("checkout", _request("POST", "/api/v1/checkout", DETAILS, key))
        elif draw < CHECKOUT_SHARE + CART_SHARE:
            request = ("cart", _request("POST", "/api/v1/cart/items", {"product": slug}))
        if (pause := began + due - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        tasks.append(asyncio.create_task(_send(store.port, *request, load)))
    await asyncio.gather(*tasks)
    return load


def _request(method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
    content = json.dumps(body).encode() if body is not None else b""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        *(f"{k}: {v}" for k, v in (headers or {}).items()),
    ]
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def _send(port: int, kind: str, request: bytes, load: OfferedLoad) -> None:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                status = int((await reader.read())[9:12])
            finally:
                writer.close()
    except TimeoutError:
        outcome = "gave up"
    except (OSError, ValueError):
        outcome = "failed"
    else:
        outcome = "ok" if status < 400 else "refused" if status == 503 else "failed"
        if outcome == "ok":
            load.latencies_s.append(time.perf_counter() - began)
    load.outcomes[kind, outcome] += 1


def find_peak(store: PinnedStore) -> float:
    """Return the highest goodput of rising rates, of the same mix of requests."""
    rate, best = QUIET_RPS, 0.0
    while True:
        goodput = asyncio.run(offer(store, rate, STEP_S, store.carts(rate * STEP_S))).goodput
        best = max(best, goodput)
        if goodput < 0.8 * rate:
            return best
        rate *= STEP


def price_of_a_refusal(store: PinnedStore, rate: float) -> tuple[float, float]:
    """Return the processor milliseconds of the whole store for an answer and for a refusal.

    The database hangs while refusals are counted: nothing can be answered. A few requests in the threads fail then, and
    cost as much as answers; they cost the same at any rate. So the price is the difference between two rates.
    """
    store.set_switches(ARMS[DEFAULT])
    idle_s = _processor_share(store)
    carts = store.carts(QUIET_RPS * QUIET_S)
    began_s = store.processor_s()
    answers = asyncio.run(offer(store, QUIET_RPS, QUIET_S, carts)).count("ok")
    answer_s = (store.processor_s() - began_s - idle_s * QUIET_S) / answers
    store.shop("fault", "set", "database", "hang")
    _hang_until_refused(store, rate)
    used_s, refusals = {rate: 0.0, rate / 5: 0.0}, {rate: 0, rate / 5: 0}
    for some in (*used_s, *used_s):
        began_s = store.processor_s()
        refusals[some] += asyncio.run(offer(store, some, REFUSALS_S)).count("refused")
        used_s[some] += store.processor_s() - began_s
    refusal_s = (used_s[rate] - used_s[rate / 5]) / max(1, refusals[rate] - refusals[rate / 5])
    store.shop("fault", "clear")
    store.lab.wait_ready()
    wait_until_drained(store.metrics)
    return answer_s * 1000, refusal_s * 1000


def _hang_until_refused(store: PinnedStore, rate: float) -> None:
    """Offer requests until every thread hangs, the queue is full, and each further request is refused."""
    for _ in range(MOST_LEADS):
        load = asyncio.run(offer(store, rate, LEAD_S))
        if load.count("refused") > load.count("gave up"):
            return
    raise SystemExit("The store does not refuse while the database hangs.")


def _processor_share(store: PinnedStore) -> float:
    began_s, began = store.processor_s(), time.perf_counter()
    time.sleep(REFUSALS_S)
    return (store.processor_s() - began_s) / (time.perf_counter() - began)


def main() -> int:
    """Measure the peak, the arms and the price; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each arm")
    parser.add_argument("--multiple", type=float, default=5.0, help="of the peak")
    parser.add_argument("--arm", action="append", choices=ARMS, help="instead of all of them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="shop-overload-") as home:
        store = PinnedStore(Path(home))
        try:
            return _measure(store, given.arm or list(ARMS), given.rounds, given.seconds, given.multiple)
        finally:
            store.shop("down")


def _measure(store: PinnedStore, arms: Sequence[str], rounds: int, seconds: float, multiple: float) -> int:
    asyncio.run(offer(store, QUIET_RPS, QUIET_S))  # connections, prepared statements
    quiet_p99_ms = asyncio.run(offer(store, QUIET_RPS, QUIET_S)).percentile_ms(0.99)
    peak = find_peak(store)
    rate = multiple * peak
    print(
        f"quiet p99 {quiet_p99_ms:.0f} ms; peak {peak:.1f} requests/s in time; offered {rate:.0f}/s for {seconds:g} s"
    )
    loads: dict[str, list[OfferedLoad]] = {name: [] for name in arms}

    def measure(name: str) -> float:
        store.set_switches(ARMS[DEFAULT])
        carts = store.carts(rate * seconds)
        store.set_switches(ARMS[name])
        load = asyncio.run(offer(store, rate, seconds, carts))
        loads[name].append(load)
        wait_until_drained(store.metrics)
        return load.goodput

    interleaved({name: lambda name=name: measure(name) for name in arms}, rounds)  # type: ignore[misc]
    print(f"{'':<28}{'goodput':>16}{'of peak':>9}{'p50':>7}{'p99':>8}{'checkouts':>11}{'refused':>9}{'gave up':>9}")
    for name, runs in loads.items():
        goodputs = sorted(run.goodput for run in runs)
        spread = f"{statistics.median(goodputs):.1f} ({goodputs[0]:.0f}-{goodputs[-1]:.0f})"
        p50, p99 = (statistics.median(run.percentile_ms(share) for run in runs) for share in (0.5, 0.99))
        checkouts = statistics.median(run.share_ok("checkout") for run in runs)
        refused, gave_up = (sum(run.count(one) for run in runs) for one in ("refused", "gave up"))
        print(
            f"{name:<28}{spread:>16}{statistics.median(goodputs) / peak:>9.2f}{p50:>7.0f}{p99:>8.0f}"
            f"{checkouts:>11.1%}{refused:>9}{gave_up:>9}"
        )
    answer_ms, refusal_ms = price_of_a_refusal(store, rate)
    print(
        f"processor time of the whole store: an answer {answer_ms:.2f} ms, a refusal {refusal_ms:.3f} ms,"
        f" 1/{answer_ms / refusal_ms:.0f}"
    )
    if DEFAULT not in loads:
        return 0
    ours = loads[DEFAULT]
    kept = {
        f"goodput at least {GOODPUT} of the peak": statistics.median(run.goodput for run in ours) >= GOODPUT * peak,
        f"p99 of the accepted under {SLOWER:g} times quiet": statistics.median(run.percentile_ms(0.99) for run in ours)
        < SLOWER * quiet_p99_ms,
        f"{CHECKOUTS:.0%} of the checkouts succeed": statistics.median(run.share_ok("checkout") for run in ours)
        >= CHECKOUTS,
        "a refusal costs at most 1/40 of an answer": refusal_ms <= PRICE * answer_ms,
    }
    for promise, is_kept in kept.items():
        print(f"  {'kept' if is_kept else 'BROKEN':<7} {promise}")
    return 0 if all(kept.values()) or not CAN_PIN else 1


if __name__ == "__main__":
    raise SystemExit(main())
