"""Checkouts while servers are killed at random; then the script checks each client's outcome against the actual state.

    .venv/bin/python loadtests/chaos.py [--checkouts N] [--clients N] [--minutes M] [--workers N] [--seed N] [--json]

Starts a store of its own (`bin/shop up` in a temporary directory, on free ports) and stops it at the end, also
on Ctrl-C. Every few seconds SIGKILL ends a web process, the worker, the payments simulator, PostgreSQL or the broker;
the stack's own supervisor restarts it. Some clients stop a request early and retry under the same key, send a request
twice at the same time, leave, or cancel. Some cards are slow, are declined, are charged without an answer, or make the
provider fail; the provider's webhooks come twice, out of order, or never. One product has too little stock.

After the last client the kills stop, and the store gets a minute to settle. Then the clients without an answer ask once
more, `bin/shop books` audits both sides, and the script counts double charges, lost orders (an order of an answer is
missing or differs), oversold units, stuck checkouts, and answers that no client can use. Exit code 1 if there is any.
The parts are in ``loadtests/chaos_run``.
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
from chaos_run import checks
from chaos_run.actual_state import read_state
from chaos_run.client import API, PATIENT_S, ChaosClient
from chaos_run.killer import EVERY_S, ServerKiller
from chaos_run.outcome import GONE, MOST_PIECES, NOTHING, SCARCE, CheckoutOutcome, CheckoutPlan, draw_plans
from chaos_run.own_stack import OwnStack
from chaos_run.report import SHOWN, table

from shop.demo_accounts import ADMIN, DEMO_PASSWORD
from shop.errors import ConfigurationError
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
"""For one checkout with all attempts: a server restarts in seconds, and the claim of a dead process ends after 13 s."""
POLL_EVERY_S = 1.0
HEALTHY_TIMEOUT_S = 60.0
BOOKS_S = 120.0


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """The options of the command line."""

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
    def under_way_s(self) -> float:
        """Return the age below which the auditor ignores a difference: 0 if the store had its minute to settle."""
        return max(0.0, checks.LEFT_OPEN_S - self.settle_s)


def main() -> int:
    """Run, print, and return the exit code."""
    options, as_json = _parse_options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-chaos-", ignore_cleanup_errors=True)))
        home.chmod(0o755)  # if root runs this, PostgreSQL runs as another user
        store = stack.enter_context(OwnStack(home, options.workers, options.settings))
        stack.callback(_ignore_signals)
        report = run(store, options)
    print(json.dumps(report, indent=1) if as_json else table(report))
    return int(any(report["faults"].values()) or bool(report["books"]))


def run(store: OwnStack, options: ChaosOptions) -> dict[str, Any]:
    """Check out and kill, let the store settle, check the outcomes; return the report."""
    scarce, plentiful, before = _set_stock(store, options)
    store.configure_provider(**WEBHOOKS, webhook_loss_rate=options.webhook_loss)
    plans = draw_plans(options.checkouts, scarce, plentiful, random.Random(options.seed), options.gone)
    began = time.monotonic()
    rng = random.Random(options.seed)
    with ServerKiller(store.processes, options.kills, options.every_s, options.rest_s, rng) as killer:
        outcomes = _check_out(store.base_url, plans, options, began + options.minutes * 60)
    checkout_s = time.monotonic() - began
    store.wait_healthy(HEALTHY_TIMEOUT_S)
    _wait_settled(store, options, began + checkout_s + options.settle_s)
    settled_s = round(time.monotonic() - began - checkout_s, 1)
    faults = list(checks.find_stuck_checkouts(read_state(store.settings)))
    unanswered = [outcome for outcome in outcomes if outcome.end == NOTHING]
    _run_clients(
        store.base_url, unanswered, options, lambda client, outcome: client.ask_again(outcome, options.settle_s)
    )
    _wait_settled(store, options, time.monotonic() + options.settle_s)
    later = checks.find_faults(outcomes, read_state(store.settings), before)
    faults += [fault for fault in later if fault not in faults]
    return {
        "asked": asdict(options),
        "ends": dict(Counter(outcome.end for outcome in outcomes)),
        "cancelled": sum(bool(outcome.cancel) for outcome in outcomes),
        "asked_again_afterwards": len(unanswered),
        "not_begun": options.checkouts - len(outcomes),
        "requests": sum(outcome.requests for outcome in outcomes),
        "kills": dict(killer.kills),
        "checkouts_per_second": round(len(outcomes) / checkout_s, 1),
        "seconds": round(checkout_s, 1),
        "settled_after_s": settled_s,
        "faults": {kind: sum(each == kind for each, _ in faults) for kind in checks.FAULTS},
        "named": [f"{kind}: {text}" for kind, text in faults[:SHOWN]],
        "books": _audit_books(store, options),
    }


def _set_stock(store: OwnStack, options: ChaosOptions) -> tuple[str, tuple[str, ...], dict[str, int]]:
    """Set the stock: half of the demand for one product, plenty of the others; return both and the stock by slug."""
    with httpx.Client(base_url=store.base_url, timeout=PATIENT_S, trust_env=False) as client:
        credentials = {"email": ADMIN.email, "password": DEMO_PASSWORD}
        token = client.post(f"{API}/tokens", json=credentials).raise_for_status().json()["token"]
        query: dict[str, str | int] = {"sort": "popularity", "limit": PRODUCTS}
        products = client.get(f"{API}/products", params=query).raise_for_status().json()["items"]
        scarce, *plentiful = (product["slug"] for product in products)
        before = dict.fromkeys(plentiful, PLENTY) | {scarce: max(1, int(options.checkouts * SCARCE * MEAN_PIECES / 2))}
        for slug, pieces in before.items():
            bearer = {"Authorization": f"Bearer {token}"}
            client.patch(f"{API}/admin/products/{slug}", json={"on_hand": pieces}, headers=bearer).raise_for_status()
    return scarce, tuple(plentiful), before


def _check_out(
    base_url: str, plans: Sequence[CheckoutPlan], options: ChaosOptions, deadline: float
) -> list[CheckoutOutcome]:
    """Let each client carry out one plan after the other, until all are done or the time is over."""
    outcomes: list[CheckoutOutcome] = []

    def carry_out(client: ChaosClient, plan: CheckoutPlan) -> None:
        max_wait_s = min(PATIENCE_S, deadline - time.monotonic())
        if max_wait_s > 0 and (outcome := client.shop(plan, max_wait_s)):
            outcomes.append(outcome)

    _run_clients(base_url, plans, options, carry_out)
    return outcomes


def _run_clients(
    base_url: str, items: Sequence[T], options: ChaosOptions, work: Callable[[ChaosClient, T], object]
) -> None:
    """Call a function for every item, with one thread for each client."""
    queue: SimpleQueue[T] = SimpleQueue()
    for item in items:
        queue.put(item)

    def run_client(number: int) -> None:
        client = ChaosClient(base_url, random.Random(options.seed * options.clients + number))
        try:
            with closing(client), suppress(Empty):
                while True:
                    work(client, queue.get_nowait())
        except Exception as error:  # noqa: BLE001 - every error makes the run invalid
            errors.append(error)

    errors: list[Exception] = []
    # Daemon threads, since the threads of a pool would finish all items after an interrupt.
    threads = [
        Thread(target=run_client, args=(number,), name="client", daemon=True) for number in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _wait_settled(store: OwnStack, options: ChaosOptions, deadline: float) -> None:
    """Wait until the books match and no checkout is stuck, at most until the deadline on the monotonic clock."""
    while time.monotonic() < deadline:
        with suppress(ConfigurationError):
            settings = store.settings
            mismatches = audit(settings, options.under_way_s, look_again_s=0).mismatches
            if not mismatches and not list(checks.find_stuck_checkouts(read_state(settings))):
                return
        time.sleep(POLL_EVERY_S)


def _audit_books(store: OwnStack, options: ChaosOptions) -> list[str]:
    """Return the mismatches that `bin/shop books` reports."""
    command = [sys.executable, "-m", "shop.cli", "books", "--json", "--under-way", str(options.under_way_s)]
    books = subprocess.run(command, env=store.environment, capture_output=True, text=True, timeout=BOOKS_S, check=False)
    if books.returncode not in (0, 1):
        raise ConfigurationError(f"The books cannot be read: {books.stderr.strip()}")
    return [f"{entry['kind']} {entry['id']}: {entry['says']}" for entry in json.loads(books.stdout)["mismatches"]]


def _parse_options() -> tuple[ChaosOptions, bool]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkouts", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=20.0, help="Time limit of all clients.")
    parser.add_argument("--workers", type=int, default=2, help="Number of web processes.")
    parser.add_argument("--kills", type=int, default=10_000, help="Most kills.")
    parser.add_argument("--kill-every", type=float, nargs=2, default=EVERY_S, metavar="S", help="Least and most pause.")
    parser.add_argument("--rest", type=float, default=STABLE_S + 5, help="Least seconds between two kills of a server.")
    parser.add_argument("--gone", type=float, default=GONE, help="Share of clients that leave before the answer.")
    parser.add_argument("--webhook-loss", type=float, default=LOST_WEBHOOKS, help="Share of webhooks that are lost.")
    parser.add_argument("--settle", type=float, default=SETTLE_S, help="Most seconds for the store to settle.")
    parser.add_argument("--set", action="append", default=[], metavar="SHOP_NAME=VALUE", help="A setting of the store.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="Print one JSON document and nothing else.")
    arguments = parser.parse_args()
    options = ChaosOptions(
        checkouts=arguments.checkouts,
        clients=arguments.clients,
        minutes=arguments.minutes,
        workers=arguments.workers,
        kills=arguments.kills,
        every_s=tuple(arguments.kill_every),
        rest_s=arguments.rest,
        gone=arguments.gone,
        webhook_loss=arguments.webhook_loss,
        settle_s=arguments.settle,
        seed=arguments.seed,
        settings=tuple(arguments.set),
    )
    return options, arguments.json


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # leaves every `with` block


def _ignore_signals() -> None:
    """Let no signal interrupt the stop of the stack, which has its own timeouts."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
