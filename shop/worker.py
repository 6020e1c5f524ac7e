"""The worker: background loops and message consumers in one process without Flask.

``bin/shop up`` starts it as ``python -m shop.worker --port PORT``. Elsewhere any number of workers can run: two
may run each loop at the same time. After SIGTERM the current rounds and deliveries end first. On its port the worker
answers ``/livez``, ``/readyz`` (with the loops that fail) and ``/metrics``. On the machine of an nginx, the worker with
``--edge`` is the edge purger too.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from typing import cast

from sqlalchemy import false, select

from shop import queue_wiring
from shop.edge_purger import EdgePurger
from shop.errors import ConfigurationError
from shop.mail.reaper import MailReaper
from shop.patterns.background_loop import BackgroundLoop, LoopRunner
from shop.patterns.health import checks
from shop.patterns.health.probe_server import ProbeServer, probe_answers
from shop.patterns.health.start import require_usable
from shop.patterns.observability.logs import configure_logging
from shop.patterns.outbox.relay import backlog
from shop.patterns.queue.inbox import InboxReaper
from shop.production_rules import require_production
from shop.queue_wiring import CurrentRelay
from shop.settings import Settings, load_settings
from shop.switches.store import StoredSwitch
from shop.wiring import ProcessRuntime, build

EXIT_USAGE = 2
STOP_S = 10.0
"""Seconds that a current round has to end. The slowest call with a time limit takes less."""
RELAY_EVERY_S = 0.05
RELAY_IDLE_S = 0.25
"""After a quiet time, the first message waits for half of this on average. A reader of mail does not notice it."""
RELAY_CAP_S = 1.0
"""One attempt per second is no load for a broker that fails, and its messages are late already."""
MEASURE_EVERY_S = 1.0
TRY_BROKER_EVERY_S = 3.0
"""The worker checks the broker even if there is no message. Otherwise a shopper would be the first to find it full."""
COMPLETE_EVERY_S = 2.0
CONNECTIONS_OF_LOOPS = 2
"""Shared by all loops; no loop keeps a connection during a call to another server. Each is a process of PostgreSQL."""
REAP_EVERY_S = 10.0
REAP_MAIL_EVERY_S = 60.0
"""To find the oldest mails, the reaper reads all of them."""
REAP_SESSIONS_EVERY_S = 60.0
REAP_CARTS_EVERY_S = 60.0
PROJECT_EVERY_S = 0.1
"""Order lists lag by half of this on average, if the worker has time."""
PROJECT_IDLE_S = 0.5
"""Longest pause after a second or more without an order."""

NO_ROW = select(StoredSwitch.name).where(false()).with_for_update()

_log = logging.getLogger("shop.worker")


def background_loops(runtime: ProcessRuntime, relay: CurrentRelay | None = None) -> list[BackgroundLoop]:
    """Return the loops of this process; each round uses the current snapshot of the switches.

    Args:
        runtime: of this process.
        relay: from the outbox to the queue; ``None`` without a broker.
    """

    def measure_outbox() -> None:
        with runtime.database.reading() as session:
            messages = backlog(session)
        runtime.metrics.queue.set_backlog(messages.waiting, messages.oldest_s)

    def require_writable() -> None:
        # Most work of this process begins with a row lock; a read-only server refuses even one without a row.
        with runtime.database.reading() as session:
            session.execute(NO_ROW)

    loops = [
        BackgroundLoop("completer", lambda: runtime.services().completer.run_once(), COMPLETE_EVERY_S),
        BackgroundLoop(
            "projector", lambda: runtime.services().projector.run_once().events, PROJECT_EVERY_S, PROJECT_IDLE_S
        ),
        BackgroundLoop("key-reaper", lambda: runtime.services().key_reaper.run_once(), REAP_EVERY_S),
        BackgroundLoop("session-reaper", lambda: runtime.services().session_reaper.run_once(), REAP_SESSIONS_EVERY_S),
        BackgroundLoop("cart-reaper", lambda: runtime.services().cart_reaper.run_once(), REAP_CARTS_EVERY_S),
        BackgroundLoop("inbox-reaper", InboxReaper(runtime.database).run_once, REAP_EVERY_S),
        BackgroundLoop("mail-reaper", MailReaper(runtime.database).run_once, REAP_MAIL_EVERY_S),
        BackgroundLoop("outbox-lag", measure_outbox, MEASURE_EVERY_S),
        BackgroundLoop("postgres", require_writable, MEASURE_EVERY_S, cap_s=MEASURE_EVERY_S),
    ]
    if relay is not None:
        check = checks.broker(runtime.settings.broker_url or "")
        loops.append(BackgroundLoop("broker", check, TRY_BROKER_EVERY_S, cap_s=TRY_BROKER_EVERY_S))
        loops.append(BackgroundLoop("relay", relay.run_once, RELAY_EVERY_S, RELAY_IDLE_S, cap_s=RELAY_CAP_S))
    if runtime.settings.ship_after_s or runtime.settings.deliver_after_s:
        loops.append(BackgroundLoop("fulfilment", lambda: runtime.services().fulfilment.run_once(), MEASURE_EVERY_S))
    return loops


class BackgroundWorker:
    """The loops and consumers of one process, started and stopped together.

    Args:
        runtime: the objects that they share; the worker starts and closes it.
        purger: the edge purger, if this process is one.
    """

    def __init__(self, runtime: ProcessRuntime, purger: EdgePurger | None = None) -> None:
        self._runtime = runtime
        self._purger = purger
        self._stopped = threading.Event()
        self._broker = queue_wiring.message_broker(runtime.settings) if runtime.settings.broker_url else None
        loops = background_loops(runtime, queue_wiring.relay(runtime, self._broker) if self._broker else None)
        if purger is not None:
            loops.append(purger.loop)
        if runtime.settings.is_lab and self._broker is not None:
            report = queue_wiring.queue_reporter(runtime, self._broker)
            loops.append(BackgroundLoop("queue-report", report, MEASURE_EVERY_S, cap_s=MEASURE_EVERY_S))
        self.runners: Sequence[LoopRunner] = [LoopRunner(loop, self._stopped) for loop in loops]

    def start(self) -> None:
        """Start every thread."""
        self._runtime.start()
        if self._purger is not None:
            self._purger.start()
        if self._broker is not None:
            settings = self._runtime.settings
            deliver = queue_wiring.message_dispatcher(self._runtime).deliver
            self._broker.serve(deliver, settings.queue_threads, settings.queue_prefetch)
        for runner in self.runners:
            runner.start()

    def request_stop(self) -> None:
        """Make :meth:`wait` return."""
        self._stopped.set()

    def wait(self) -> None:
        """Wait until a stop is requested."""
        self._stopped.wait()

    def close(self) -> None:
        """Let the current rounds and deliveries end, and close every connection."""
        self._stopped.set()
        for runner in self.runners:
            runner.join(STOP_S)
        if self._broker is not None:
            self._broker.stop(STOP_S)
        if self._purger is not None:
            self._purger.close()
        self._runtime.close()

    def faults(self) -> dict[str, str]:
        """Return the fault of each loop and thread by its name; empty text for no fault."""
        return {
            **{runner.loop.name: runner.fault for runner in self.runners},
            **self._runtime.thread_faults(),
            **(self._purger.faults() if self._purger is not None else {}),
        }


def main() -> None:
    """Run until SIGTERM."""
    # Locust installs gevent, but only other processes use it. dramatiq would import all of it, 2.6 MB, just to find
    # that its own threads are real threads.
    cast(dict[str, None], sys.modules).setdefault("gevent", None)
    parser = argparse.ArgumentParser(prog="python -m shop.worker")
    parser.add_argument("--port", type=int, required=True, help="port of probes and metrics")
    parser.add_argument("--edge", action="store_true", help="also be the edge purger, on nginx' machine")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        require_production(settings)
        configure_logging(settings, "worker")
        require_usable(settings, "cache_url", "broker_url")
        _run(settings, arguments.port, with_edge=arguments.edge)
    except ConfigurationError as error:
        sys.stderr.write(f"shop: {error}\n")
        sys.exit(EXIT_USAGE)


def _run(settings: Settings, port: int, *, with_edge: bool) -> None:
    if not settings.secret_key:
        raise ConfigurationError(
            "SHOP_SECRET_KEY is not set: the worker signs the links in mails with the store's key."
        )
    pool = settings.queue_threads + CONNECTIONS_OF_LOOPS
    runtime = build(settings.model_copy(update={"db_pool_size": pool}), process="worker")
    runtime.database.require_usable()
    worker = BackgroundWorker(runtime, EdgePurger(settings, runtime.database, runtime.metrics) if with_edge else None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.request_stop())
    server = ProbeServer(probe_answers(worker.faults, runtime.metrics.registry), settings.metrics_hosts, port)
    server.start()
    worker.start()
    _log.info("worker_started", extra={"loops": sorted(worker.faults())})
    worker.wait()
    server.stop()
    worker.close()
    _log.info("worker_stopped")


if __name__ == "__main__":
    main()
