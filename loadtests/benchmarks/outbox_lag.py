"""Measures the lag from a message's commit to its handling, at 50 orders a second, with a kill of the broker.

    .venv/bin/python loadtests/benchmarks/outbox_lag.py [--rate N] [--seconds S] [--away S] [--broker URL]

One process writes orders and, in the same transaction, the messages of their confirmations. The worker, another
process, relays and handles them. The lag runs from the return of the commit until the handler's transaction writes the
mail. Half-way, the benchmark kills its broker, a Valkey (-9), and restarts it after some seconds; orders continue.
Messages of the outage and of the ten seconds after it are counted separately, since they have to wait. With --broker,
the benchmark uses that server and kills nothing.

Promises: in normal operation the 99th percentile is below 200 ms; no message is lost; no message is handled twice. Exit
code 1 if one is broken. The benchmark takes about fifteen seconds more than --seconds.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from own_database import own_database
from servers import running
from sqlalchemy import text

from shop.checkout.confirmation import QueuedConfirmation
from shop.lab.statistics import percentile
from shop.orders.models import Order
from shop.orders.order_stream import lock
from shop.settings import Settings
from shop.stack import http_servers, valkey
from shop.stack.program import free_port
from shop.wiring import build

PROMISED_MS = 200.0
SETTLING_S = 10.0
"""Time after the broker's return for the worker to reconnect and to handle the backlog."""
DRAIN_S = 60.0


class KillableBroker:
    """A Valkey that can be killed."""

    def __init__(self, home: Path) -> None:
        self._program = valkey.broker(home, free_port())
        self.url = valkey.url(home, self._program.port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(self._program.argv, stdout=subprocess.DEVNULL)
        while not self._program.healthy():
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=50.0, help="Orders a second.")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--away", type=float, default=3.0, help="Length of the outage, in seconds.")
    parser.add_argument("--broker", help="Address of a running broker.")
    arguments = parser.parse_args()
    with own_database(1) as own, tempfile.TemporaryDirectory() as made:
        home = Path(made)
        broker = None if arguments.broker else KillableBroker(home / "broker")
        if broker:
            broker.start()
        url = arguments.broker or (broker.url if broker else "")
        settings = own.model_copy(update={"broker_url": url, "var_dir": home / "var"})
        with running(http_servers.worker(settings, free_port(), with_edge=False), home):
            written, outage = _write_orders(settings, arguments, broker)
            handled = _wait_for_mails(settings, len(written))
        if broker:
            broker.kill()
    return _report(written, handled, outage)


def _write_orders(
    settings: Settings, arguments: argparse.Namespace, broker: KillableBroker | None
) -> tuple[dict[str, float], tuple[float, float]]:
    """Write orders at the rate; return the time of each commit, and the begin and end of the outage."""
    runtime, confirmation = build(settings), QueuedConfirmation()
    written: dict[str, float] = {}
    began, half, away, back = time.time(), arguments.seconds / 2, 0.0, 0.0
    for number in range(int(arguments.rate * arguments.seconds)):
        due = began + number / arguments.rate
        time.sleep(max(0.0, due - time.time()))
        if broker and not away and time.time() - began >= half:
            broker.kill()
            away = time.time()
        if broker and away and not back and time.time() - away >= arguments.away:
            broker.start()
            back = time.time()
        public_id = f"ord_{number:022d}"
        with runtime.database.transaction() as session:
            order = Order(
                public_id=public_id, number=f"S-{number}", email="robin@example.org", status="paid",
                total_amount=100, address=dict.fromkeys(("name", "line1", "postcode", "city", "country"), "x"),
            )  # fmt: skip
            session.add(order)
            session.flush()
            confirmation.order_paid(session, lock(session, public_id))
        written[public_id] = time.time()
    runtime.close()
    return written, (away, back + SETTLING_S if back else 0.0)


def _wait_for_mails(settings: Settings, count: int) -> dict[str, list[float]]:
    """Wait for the mails of all orders, at most for a time limit; return the times of each order's mails."""
    runtime = build(settings)
    deadline = time.monotonic() + DRAIN_S
    while True:
        with runtime.database.reading() as session:
            rows = session.execute(text("SELECT message_id, extract(epoch FROM created_at) FROM mails")).all()
            handled_count = session.scalar(text("SELECT count(*) FROM handled_messages")) or 0
        if (len(rows) >= count and handled_count >= count) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    runtime.close()
    handled: dict[str, list[float]] = {}
    for message_id, at in rows:
        handled.setdefault(message_id.removeprefix("<confirmation.").removesuffix("@shop>"), []).append(float(at))
    return handled


def _report(written: dict[str, float], handled: dict[str, list[float]], outage: tuple[float, float]) -> int:
    lost = [public_id for public_id in written if public_id not in handled]
    twice = [public_id for public_id, times in handled.items() if len(times) > 1]
    lags = {public_id: (handled[public_id][0] - at) * 1000 for public_id, at in written.items() if public_id in handled}
    normal = [lag for public_id, lag in lags.items() if not outage[0] <= written[public_id] + lag / 1000 <= outage[1]]
    delayed = [lag for public_id, lag in lags.items() if outage[0] <= written[public_id] + lag / 1000 <= outage[1]]
    print(f"{len(written):,} messages written, {len(lost)} lost, {len(twice)} handled twice")
    for name, lags_ms in (("in normal operation", normal), ("around the outage", delayed)):
        if lags_ms:
            print(
                f"  {name:<26} {len(lags_ms):>6,} messages: p50 {percentile(lags_ms, 50):8.1f} ms"
                f"   p99 {percentile(lags_ms, 99):8.1f} ms   worst {max(lags_ms):8.1f} ms"
            )
    return int(bool(lost or twice) or percentile(normal, 99) > PROMISED_MS)


if __name__ == "__main__":
    sys.exit(main())
