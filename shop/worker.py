"""The process behind the store: everything that happens without a request, in one process without Flask.

``shop up`` starts it as ``python -m shop.worker --port PORT``; elsewhere run as many as you like: each loop is safe to
run twice at once. SIGTERM lets the rounds and deliveries under way end. On its port it answers ``/livez``, ``/readyz``
(which loops are not well) and ``/metrics``. On the machine of an nginx, ``--edge`` lets it do the purger's work too.
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
from shop.patterns.outbox.relay import OutboxRelay, backlog
from shop.patterns.queue.inbox import InboxReaper
from shop.production_rules import require_production
from shop.settings import Settings, load_settings
from shop.switches.store import StoredSwitch
from shop.wiring import ProcessRuntime, build

EXIT_USAGE = 2
STOP_S = 10.0
"""Seconds a round under way gets to end: longer than the slowest bounded call."""
RELAY_EVERY_S = 0.05
RELAY_IDLE_S = 0.25
"""The first message after a quiet time waits for half of it on average; mail takes longer than that to be read."""
RELAY_CAP_S = 1.0
"""To ask a broker that is away once a second is no load, and what waits for it has waited long enough."""
MEASURE_EVERY_S = 1.0
TRY_BROKER_EVERY_S = 3.0
"""Whether it takes messages is tried also while there are none to hand on: else shoppers would find a full one."""
COMPLETE_EVERY_S = 2.0
CONNECTIONS_OF_LOOPS = 2
"""Shared by all loops, none of which holds one while it calls out. A connection is a process of PostgreSQL."""
REAP_EVERY_S = 10.0
REAP_MAIL_EVERY_S = 60.0
REAP_SESSIONS_EVERY_S = 60.0
REAP_CARTS_EVERY_S = 60.0
"""Finding the oldest letters means looking through all of them."""
PROJECT_EVERY_S = 0.1
"""Half of it, on average, is how long lists lag when the worker has time."""
PROJECT_IDLE_S = 0.5
"""After a quiet time, up to this: nobody has placed an order for a second or more."""

NO_ROW = select(StoredSwitch.name).where(false()).with_for_update()

_log = logging.getLogger("shop.worker")


def background_loops(runtime: ProcessRuntime, relay: OutboxRelay | None = None) -> list[BackgroundLoop]:
    """Return what this process does again and again; each round takes the switches as they stand then.

    Args:
        runtime: of this process.
        relay: from the outbox to the queue, where there is a broker.
    """
    found = [
        BackgroundLoop("completer", lambda: runtime.services().completer.run_once(), COMPLETE_EVERY_S),
        BackgroundLoop(
            "projector", lambda: runtime.services().projector.run_once().events, PROJECT_EVERY_S, PROJECT_IDLE_S
        ),
        BackgroundLoop("key-reaper", lambda: runtime.services().key_reaper.run_once(), REAP_EVERY_S),
        BackgroundLoop("session-reaper", lambda: runtime.services().session_reaper.run_once(), REAP_SESSIONS_EVERY_S),
        BackgroundLoop("cart-reaper", lambda: runtime.services().cart_reaper.run_once(), REAP_CARTS_EVERY_S),
        BackgroundLoop("inbox-reaper", InboxReaper(runtime.database).run_once, REAP_EVERY_S),
        BackgroundLoop("mail-reaper", MailReaper(runtime.database).run_once, REAP_MAIL_EVERY_S),
        BackgroundLoop("outbox-lag", lambda: _measure(runtime), MEASURE_EVERY_S),
        BackgroundLoop("postgres", lambda: _require_writable(runtime), MEASURE_EVERY_S, cap_s=MEASURE_EVERY_S),
    ]
    if relay is not None:
        check = checks.broker(runtime.settings.broker_url or "")
        found.append(BackgroundLoop("broker", check, TRY_BROKER_EVERY_S, cap_s=TRY_BROKER_EVERY_S))
        found.append(BackgroundLoop("relay", relay.run_once, RELAY_EVERY_S, RELAY_IDLE_S, cap_s=RELAY_CAP_S))
    if runtime.settings.ship_after_s or runtime.settings.deliver_after_s:
        found.append(BackgroundLoop("fulfilment", lambda: runtime.services().fulfilment.run_once(), MEASURE_EVERY_S))
    return found


def _measure(runtime: ProcessRuntime) -> None:
    with runtime.database.reading() as session:
        found = backlog(session)
    runtime.metrics.queue.set_backlog(found.waiting, found.oldest_s)


def _require_writable(runtime: ProcessRuntime) -> None:
    """Ask for a row lock, as most work here begins; a server that takes no changes refuses even an empty one."""
    with runtime.database.reading() as session:
        session.execute(NO_ROW)


class BackgroundWorker:
    """Loops and consumers of one process, started and stopped together.

    Args:
        runtime: what they share; started and closed here.
        purging: the purger's work, if this process does it.
    """

    def __init__(self, runtime: ProcessRuntime, purging: EdgePurger | None = None) -> None:
        self._runtime = runtime
        self._purging = purging
        self._stopped = threading.Event()
        self._transport = queue_wiring.message_broker(runtime.settings) if runtime.settings.broker_url else None
        found = background_loops(runtime, queue_wiring.relay(runtime, self._transport) if self._transport else None)
        if purging is not None:
            found.append(purging.loop)
        self.runners: Sequence[LoopRunner] = [LoopRunner(loop, self._stopped) for loop in found]

    def start(self) -> None:
        """Start every thread."""
        self._runtime.start()
        if self._purging is not None:
            self._purging.start()
        if self._transport is not None:
            settings = self._runtime.settings
            deliver = queue_wiring.message_dispatcher(self._runtime).deliver
            self._transport.serve(deliver, settings.queue_threads, settings.queue_prefetch)
        for runner in self.runners:
            runner.start()

    def request_stop(self) -> None:
        """Let :meth:`wait` return."""
        self._stopped.set()

    def wait(self) -> None:
        """Return when a stop was requested."""
        self._stopped.wait()

    def close(self) -> None:
        """Let what is under way end, and give back every connection."""
        self._stopped.set()
        for runner in self.runners:
            runner.join(STOP_S)
        if self._transport is not None:
            self._transport.stop(STOP_S)
        if self._purging is not None:
            self._purging.close()
        self._runtime.close()

    def faults(self) -> dict[str, str]:
        """Return each loop's and thread's name and what is wrong with it; empty text where nothing is."""
        return {
            **{runner.loop.name: runner.fault for runner in self.runners},
            **self._runtime.thread_faults(),
            **(self._purging.faults() if self._purging is not None else {}),
        }


def _leave_gevent_out() -> None:
    """Let dramatiq find no gevent: it would load all of it, 2.6 MB, to see that its threads are threads.

    Locust brings it, and needs it in other processes only.
    """
    cast(dict[str, None], sys.modules).setdefault("gevent", None)


def main() -> None:
    """Run until SIGTERM."""
    _leave_gevent_out()
    parser = argparse.ArgumentParser(prog="python -m shop.worker")
    parser.add_argument("--port", type=int, required=True, help="where probes and figures are answered")
    parser.add_argument("--edge", action="store_true", help="do the work of the purger beside nginx too")
    given = parser.parse_args()
    try:
        settings = load_settings()
        require_production(settings)
        configure_logging(settings, "worker")
        require_usable(settings, "cache_url", "broker_url")
        _run(settings, given.port, with_edge=given.edge)
    except ConfigurationError as error:
        sys.stderr.write(f"shop: {error}\n")
        sys.exit(EXIT_USAGE)


def _run(settings: Settings, port: int, *, with_edge: bool) -> None:
    if not settings.secret_key:
        raise ConfigurationError("SHOP_SECRET_KEY is not set: the worker signs the links in mails with the store's.")
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
