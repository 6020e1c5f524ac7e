"""From a message's commit to the end of its handling, at 50 orders a second, with the broker killed in the middle.

    .venv/bin/python loadtests/benchmarks/outbox_lag.py [--rate N] [--seconds S] [--away S] [--broker URL]

One process writes orders and, in the same transaction, their confirmation's message; the worker, a process of its own,
relays and handles them. Lag runs from the return of the commit to the moment the mail is put into its transaction.
Half-way the broker, a Valkey of this benchmark, is killed (-9) and started again after a while; orders go on meanwhile.
Messages written while the broker was away or within ten seconds of its return are shown apart: they wait, as they must.
With --broker that server is used, and nothing is killed.

Promises: below 200 ms at the 99th percentile while all is well; no message lost; none handled twice. Exit code 1 when
one is broken. Takes about the time asked for and a quarter of a minute.
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
from shop.settings import Settings
from shop.stack import http_servers, valkey
from shop.stack.program import free_port
from shop.wiring import build

PROMISED_MS = 200.0
SETTLING_S = 10.0
"""After the broker's return: its backlog, and the worker's pause before it connects again."""
DRAIN_S = 60.0


class Broker:
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
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=50.0, help="Orders a second.")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--away", type=float, default=3.0, help="Seconds the broker is down.")
    parser.add_argument("--broker", help="An address of a broker that runs already.")
    asked = parser.parse_args()
    with own_database(1) as own, tempfile.TemporaryDirectory() as made:
        home = Path(made)
        broker = None if asked.broker else Broker(home / "broker")
        if broker:
            broker.start()
        url = asked.broker or (broker.url if broker else "")
        settings = own.model_copy(update={"broker_url": url, "var_dir": home / "var"})
        with running(http_servers.worker(settings, free_port(), with_edge=False), home):
            written, outage = _write(settings, asked, broker)
            handled = _wait(settings, len(written))
        if broker:
            broker.kill()
    return _tell(written, handled, outage)


def _write(
    settings: Settings, asked: argparse.Namespace, broker: Broker | None
) -> tuple[dict[str, float], tuple[float, float]]:
    """Write orders at the rate; return when each was committed, and from when to when nothing is promised."""
    runtime, confirmation = build(settings), QueuedConfirmation()
    written: dict[str, float] = {}
    began, half, away, back = time.time(), asked.seconds / 2, 0.0, 0.0
    for number in range(int(asked.rate * asked.seconds)):
        due = began + number / asked.rate
        time.sleep(max(0.0, due - time.time()))
        if broker and not away and time.time() - began >= half:
            broker.kill()
            away = time.time()
        if broker and away and not back and time.time() - away >= asked.away:
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
            confirmation.paid(session, order)
        written[public_id] = time.time()
    runtime.close()
    return written, (away, back + SETTLING_S if back else 0.0)


def _wait(settings: Settings, count: int) -> dict[str, list[float]]:
    """Return when each order's mail was put into the mailbox, once all were, or nothing more comes."""
    runtime = build(settings)
    deadline = time.monotonic() + DRAIN_S
    while True:
        with runtime.database.reading() as session:
            rows = session.execute(text("SELECT message_id, extract(epoch FROM created_at) FROM mails")).all()
            notes = session.scalar(text("SELECT count(*) FROM handled_messages")) or 0
        if (len(rows) >= count and notes >= count) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    runtime.close()
    handled: dict[str, list[float]] = {}
    for message_id, at in rows:
        handled.setdefault(message_id.removeprefix("<confirmation.").removesuffix("@shop>"), []).append(float(at))
    return handled


def _tell(written: dict[str, float], handled: dict[str, list[float]], outage: tuple[float, float]) -> int:
    lost = [public_id for public_id in written if public_id not in handled]
    twice = [public_id for public_id, times in handled.items() if len(times) > 1]
    lags = {public_id: (handled[public_id][0] - at) * 1000 for public_id, at in written.items() if public_id in handled}
    well = [lag for public_id, lag in lags.items() if not outage[0] <= written[public_id] + lag / 1000 <= outage[1]]
    waited = [lag for public_id, lag in lags.items() if outage[0] <= written[public_id] + lag / 1000 <= outage[1]]
    print(f"{len(written):,} messages written, {len(lost)} lost, {len(twice)} handled twice")
    for name, found in (("while all was well", well), ("over the broker's restart", waited)):
        if found:
            print(
                f"  {name:<26} {len(found):>6,} messages: p50 {percentile(found, 50):8.1f} ms"
                f"   p99 {percentile(found, 99):8.1f} ms   worst {max(found):8.1f} ms"
            )
    return int(bool(lost or twice) or percentile(well, 99) > PROMISED_MS)


if __name__ == "__main__":
    sys.exit(main())
