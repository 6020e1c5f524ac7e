"""Check-outs while servers are killed at random; afterwards what clients were told is held against what there is.

    .venv/bin/python loadtests/chaos.py [--checkouts N] [--clients N] [--minutes M] [--workers N] [--seed N] [--json]

Starts a store of its own (`shop up` in a temporary directory, on free ports of 127.0.0.1) and stops it at the end, also
on Ctrl-C. Every few seconds one of these gets SIGKILL: a web process, the worker, the payments simulator, PostgreSQL,
the broker; the stack's own supervisor starts it again. Clients give up early and send the same again under the same
key, send twice at once, leave, cancel. Cards are slow, declined, charged without an answer, or choke the provider,
whose messages come twice, out of order, or never. Of one product there is not enough.

When the last client is done nobody kills any more, and the store has a minute to settle. Then clients who never got an
answer ask once more, `shop books` looks at both sides, and the script counts for itself: double charges, lost orders
(told of one that is not there, or not as told), oversold units, stuck check-outs, answers that mean nothing to a
client. Exit code 1 on any of them. The parts are in ``loadtests/disorder``.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import Any, TypeVar

import httpx
from disorder import truth, verdict
from disorder.client import API, PATIENT_S, Client
from disorder.killer import EVERY_S, Killer
from disorder.own_stack import OwnStack
from disorder.report import SHOWN, table
from disorder.told import GONE, MOST_PIECES, NOTHING, SCARCE, Told, Wish, wishes

from shop.errors import ConfigurationError
from shop.lab.store_client import ADMIN, DEMO_PASSWORD
from shop.reconciliation.audit import audit
from shop.stack.backoff import STABLE_S

T = TypeVar("T")
WEBHOOKS = {"webhook_duplicate_rate": 0.3, "webhook_reorder_rate": 0.3}
LOST_WEBHOOKS = 0.1
PRODUCTS = 24
PLENTY = 100_000
MEAN_PIECES = (1 + MOST_PIECES) / 2
SETTLE_S = 60.0
PATIENCE_S = 90.0
"""For one check-out with all its tries; a server is back after seconds, a claim of a dead process runs out after 13."""
LOOK_EVERY_S = 1.0
WELL_AGAIN_S = 60.0
BOOKS_S = 120.0


@dataclass(frozen=True, slots=True)
class Given:
    """What was asked for."""

    checkouts: int
    clients: int
    minutes: float
    workers: int
    kills: int
    every_s: tuple[float, float]
    rest_s: float
    gone: float
    webhook_loss: float
    settle_s: float
    seed: int
    settings: tuple[str, ...]

    @property
    def young_s(self) -> float:
        """Return for how long the auditor has patience: not at all, once the store has had its minute."""
        return max(0.0, verdict.LEFT_OPEN_S - self.settle_s)


def main() -> int:
    """Run, print, and return the exit code."""
    given, as_json = _asked()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-chaos-", ignore_cleanup_errors=True)))
        home.chmod(0o755)  # PostgreSQL runs as another user where root runs this
        store = stack.enter_context(OwnStack(home, given.workers, given.settings))
        stack.callback(_finish_undisturbed)
        report = run(store, given)
    print(json.dumps(report, indent=1) if as_json else table(report))
    return int(any(report["faults"].values()) or bool(report["books"]))


def run(store: OwnStack, given: Given) -> dict[str, Any]:
    """Buy, kill, settle, judge; return the report."""
    scarce, usual, before = _stock(store, given)
    store.disturb(**WEBHOOKS, webhook_loss_rate=given.webhook_loss)
    planned = wishes(given.checkouts, scarce, usual, random.Random(given.seed), given.gone)
    began = time.monotonic()
    chance = random.Random(given.seed)
    with Killer(store.processes, given.kills, given.every_s, given.rest_s, chance) as killer:
        told = _buy(store.base_url, planned, given, began + given.minutes * 60)
    bought_s = time.monotonic() - began
    store.wait_well(WELL_AGAIN_S)
    _settle(store, given, began + bought_s + given.settle_s)
    settled_s = round(time.monotonic() - began - bought_s, 1)
    faults = list(verdict.unfinished(truth.read(store.settings)))
    left = [one for one in told if one.end == NOTHING]
    _each(store.base_url, left, given, lambda client, one: client.ask_again(one, given.settle_s))
    _settle(store, given, time.monotonic() + given.settle_s)
    faults += [fault for fault in verdict.judge(told, truth.read(store.settings), before) if fault not in faults]
    return {
        "asked": asdict(given),
        "ends": dict(Counter(one.end for one in told)),
        "cancelled": sum(bool(one.cancel) for one in told),
        "asked_again_afterwards": len(left),
        "not_begun": given.checkouts - len(told),
        "requests": sum(one.requests for one in told),
        "kills": dict(killer.kills),
        "checkouts_per_second": round(len(told) / bought_s, 1),
        "seconds": round(bought_s, 1),
        "settled_after_s": settled_s,
        "faults": {kind: sum(found == kind for found, _ in faults) for kind in verdict.FAULTS},
        "named": [f"{kind}: {says}" for kind, says in faults[:SHOWN]],
        "books": _books(store, given),
    }


def _stock(store: OwnStack, given: Given) -> tuple[str, tuple[str, ...], dict[str, int]]:
    """Put half of what will be wanted of one product on the shelf, plenty of the others; return what there is."""
    with httpx.Client(base_url=store.base_url, timeout=PATIENT_S, trust_env=False) as client:
        words = {"email": ADMIN.email, "password": DEMO_PASSWORD}
        token = client.post(f"{API}/tokens", json=words).raise_for_status().json()["token"]
        query: dict[str, str | int] = {"sort": "popularity", "limit": PRODUCTS}
        found = client.get(f"{API}/products", params=query).raise_for_status().json()["items"]
        scarce, *usual = (item["slug"] for item in found)
        before = dict.fromkeys(usual, PLENTY) | {scarce: max(1, int(given.checkouts * SCARCE * MEAN_PIECES / 2))}
        for slug, pieces in before.items():
            bearer = {"Authorization": f"Bearer {token}"}
            client.patch(f"{API}/admin/products/{slug}", json={"on_hand": pieces}, headers=bearer).raise_for_status()
    return scarce, tuple(usual), before


def _buy(base_url: str, planned: Sequence[Wish], given: Given, until: float) -> list[Told]:
    """Let the clients buy, each one thing after the other, until all is bought or time is up."""
    told: list[Told] = []

    def one(client: Client, wish: Wish) -> None:
        if time.monotonic() < until and (heard := client.shop(wish, min(PATIENCE_S, until - time.monotonic()))):
            told.append(heard)

    _each(base_url, planned, given, one)
    return told


def _each(base_url: str, items: Sequence[T], given: Given, work: Callable[[Client, T], object]) -> None:
    """Do something for every item, with a thread for each client."""
    todo: SimpleQueue[T] = SimpleQueue()
    for item in items:
        todo.put(item)

    def run(number: int) -> None:
        client = Client(base_url, random.Random(given.seed * given.clients + number))
        try:
            with closing(client), suppress(Empty):
                while True:
                    work(client, todo.get_nowait())
        except Exception as error:  # noqa: BLE001 - whatever it was, the run is worth nothing
            broken.append(error)

    broken: list[Exception] = []
    # Threads that nobody waits for when the run is broken off: a pool's would first do all that is left.
    threads = [Thread(target=run, args=(number,), name="client", daemon=True) for number in range(given.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]


def _settle(store: OwnStack, given: Given, until: float) -> None:
    """Wait until nothing is left to be done; at most until a moment of the monotonic clock."""
    while time.monotonic() < until:
        with suppress(ConfigurationError):
            settings = store.settings
            found = audit(settings, given.young_s, look_again_s=0).mismatches
            if not found and not list(verdict.unfinished(truth.read(settings))):
                return
        time.sleep(LOOK_EVERY_S)


def _books(store: OwnStack, given: Given) -> list[str]:
    """Return what `shop books` names."""
    words = [sys.executable, "-m", "shop.cli", "books", "--json", "--under-way", str(given.young_s)]
    done = subprocess.run(words, env=store.environment, capture_output=True, text=True, timeout=BOOKS_S, check=False)
    if done.returncode not in (0, 1):
        raise ConfigurationError(f"The books cannot be read: {done.stderr.strip()}")
    return [f"{one['kind']} {one['id']}: {one['says']}" for one in json.loads(done.stdout)["mismatches"]]


def _asked() -> tuple[Given, bool]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkouts", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=20.0, help="The clients go home by then, done or not.")
    parser.add_argument("--workers", type=int, default=2, help="Web processes.")
    parser.add_argument("--kills", type=int, default=10_000, help="At most.")
    parser.add_argument("--kill-every", type=float, nargs=2, default=EVERY_S, metavar="S", help="From and to.")
    parser.add_argument("--rest", type=float, default=STABLE_S + 5, help="Seconds a server is left alone after a kill.")
    parser.add_argument("--gone", type=float, default=GONE, help="Share of clients who leave before the answer.")
    parser.add_argument("--webhook-loss", type=float, default=LOST_WEBHOOKS, help="Share of them that never come.")
    parser.add_argument("--settle", type=float, default=SETTLE_S, help="Seconds the store has, at most.")
    parser.add_argument("--set", action="append", default=[], metavar="SHOP_NAME=VALUE", help="A setting of the store.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="Print one JSON document and nothing else.")
    asked = parser.parse_args()
    given = Given(
        checkouts=asked.checkouts,
        clients=asked.clients,
        minutes=asked.minutes,
        workers=asked.workers,
        kills=asked.kills,
        every_s=tuple(asked.kill_every),
        rest_s=asked.rest,
        gone=asked.gone,
        webhook_loss=asked.webhook_loss,
        settle_s=asked.settle,
        seed=asked.seed,
        settings=tuple(asked.set),
    )
    return given, asked.json


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # through every `with`


def _finish_undisturbed() -> None:
    """Let nothing interrupt the stopping of what was started, which has its own bounds."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
