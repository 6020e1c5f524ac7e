"""The process beside nginx: it publishes the static files, purges outdated responses and follows the switches.

Each nginx has one, on the same machine, since a purge deletes files. ``bin/shop up`` lets the worker do this work, to
save the memory of a process. Elsewhere it is ``python -m shop.edge_purger --port PORT``, which answers ``/livez``,
``/readyz`` and ``/metrics`` there.
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Mapping

from shop.clock import SystemClock
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.errors import ConfigurationError
from shop.patterns.background_loop import BackgroundLoop, LoopRunner
from shop.patterns.caching import InvalidationListener
from shop.patterns.edge import ProxyCacheFiles, SurrogateKeyIndex, TagPurger
from shop.patterns.edge.access_log import LAYER, LoggedResponse
from shop.patterns.edge.hit_counter import EdgeHitCounter
from shop.patterns.health.probe_server import ProbeServer, probe_answers
from shop.patterns.health.start import require_usable
from shop.patterns.observability.edge_metrics import EdgeTelemetry
from shop.patterns.observability.logs import configure_logging
from shop.patterns.observability.metrics import ProcessMetrics
from shop.production_rules import require_production
from shop.settings import Settings, load_settings
from shop.switches.registry import SwitchPoller, SwitchSnapshot
from shop.switches.store import SwitchStore
from shop.web.static_publishing import STATIC, publish

POLLS_PER_REFRESH = 4
"""The purger polls the switches this many times as often as workers do: a response cached from a worker that has not
seen a flip yet is purged within a second."""
BACKOFF_CAP_S = 1.0
"""Longest pause after a failed round, in seconds: it delays the repetition of purges."""
EXIT_USAGE = 2
STOP_S = 5.0
"""Seconds to wait for the end of a round at the stop."""

_log = logging.getLogger("shop.edge_purger")


class PurgerRound:
    """One round of the purger; a :class:`BackgroundLoop` repeats it.

    Args:
        settings: the directories and the refresh interval of the switches.
        purger: deletes responses.
        poller: reads the switches; this round alone uses it.
        metrics: counts the edge's responses.
    """

    def __init__(self, settings: Settings, purger: TagPurger, poller: SwitchPoller, metrics: ProcessMetrics) -> None:
        self._purger = purger
        self._poller = poller
        self.every_s = settings.switch_refresh_s / POLLS_PER_REFRESH
        self._home = settings.edge_dir

        def count_responses(responses: Mapping[LoggedResponse, int]) -> None:
            for response, count in responses.items():
                metrics.cache.add_lookups(LAYER, response.ttl_class, response.outcome, count)
                metrics.edge.responses.observe(response, count)

        self._counter = EdgeHitCounter(
            settings.log_dir / "edge.jsonl",
            settings.edge_answers_file,
            self._home / "nginx.pid",
            count_responses,
        )
        self._published = False
        self._snapshot: SwitchSnapshot | None = None
        self._rounds_to_settle = 0
        """Rounds left in which the cache is kept empty, because a worker may not have seen the flip yet."""

    def run_once(self) -> None:
        """Follow the switches and repeat purges first; then count responses, rotate the log and publish."""
        self._poller.refresh()
        snapshot = self._poller.current()
        if self._snapshot is not None and snapshot != self._snapshot:
            self._purger.flush("a switch was flipped")  # any switch may change a page
            self._rounds_to_settle = POLLS_PER_REFRESH + 1
        self._snapshot = snapshot
        if self._rounds_to_settle or snapshot["cache.edge"] == "off":
            self._rounds_to_settle = max(0, self._rounds_to_settle - 1)
            self._purger.enforce_empty()
        self._purger.run_once()
        self._counter.run_once()
        self.publish_once()

    def publish_once(self) -> None:
        """Publish the static files, unless that was done already.

        Raises:
            OSError: a file cannot be written.
        """
        if not self._published:
            publish(STATIC, self._home)
            self._published = True


class EdgePurger:
    """All parts of one nginx's purger, for the process that runs it.

    Args:
        settings: the addresses and directories.
        database: has the switches; the caller closes it.
        metrics: counts responses and purges.

    Raises:
        ConfigurationError: there is no cache, so no invalidations are broadcast.
    """

    def __init__(self, settings: Settings, database: Database, metrics: ProcessMetrics) -> None:
        if settings.cache_url is None:
            raise ConfigurationError("CACHE_URL is not set: the edge receives its invalidations over it.")
        clock = SystemClock()
        self._index = SurrogateKeyIndex(settings.cache_url, settings.cache_timeout_ms, clock)
        self._files = ProxyCacheFiles(settings.edge_dir / "store")
        self.purger = TagPurger(self._index, self._files, clock, EdgeTelemetry(metrics.edge))
        self._listener = InvalidationListener(settings.cache_url, self.purger)
        store = SwitchStore(database, allow_unsafe=settings.is_lab)
        poller = SwitchPoller(store.load, settings.switch_refresh_s, log_once())
        one_round = PurgerRound(settings, self.purger, poller, metrics)
        self.loop = BackgroundLoop(
            "purger", one_round.run_once, one_round.every_s, cap_s=max(one_round.every_s, BACKOFF_CAP_S)
        )
        """The caller runs it."""
        try:
            one_round.publish_once()
        except OSError as error:  # the application serves the static files; a later round publishes them
            _log.warning("assets_not_published", extra={"reason": str(error)})

    def start(self) -> None:
        """Begin to receive invalidations."""
        self._listener.start()

    def faults(self) -> dict[str, str]:
        """Return the fault of each part; an empty text for a healthy one."""
        return {"edge-store": self.purger.fault or self._files.fault, "edge-invalidations": self._listener.fault}

    def close(self) -> None:
        """Stop the listener, and close the connections to the cache."""
        self._listener.stop()
        self._index.close()


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, required=True, help="the port of /livez, /readyz and /metrics")
    try:
        settings = load_settings()
        require_production(settings)
        configure_logging(settings, "purger")
        require_usable(settings, "cache_url")
        run(settings, parser.parse_args().port)
    except ConfigurationError as error:
        sys.stderr.write(f"shop: {error}\n")
        sys.exit(EXIT_USAGE)


def run(settings: Settings, port: int) -> None:
    """Run the purger and its probe server until a signal.

    Args:
        settings: the addresses and directories.
        port: of the probe server.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    database = Database(build_engine(settings))
    database.require_usable()
    metrics = ProcessMetrics()
    purger = EdgePurger(settings, database, metrics)
    purger.start()
    runner = LoopRunner(purger.loop, stopped)
    answers = probe_answers(lambda: {purger.loop.name: runner.fault, **purger.faults()}, metrics.registry)
    server = ProbeServer(answers, settings.metrics_hosts, port)
    runner.start()
    server.start()
    try:
        stopped.wait()
    finally:
        runner.join(STOP_S)
        server.stop()
        purger.close()
        database.engine.dispose()


def log_once() -> Callable[[Exception], None]:
    """Return a callback that logs unreadable switches once, and not at every poll."""
    logged = threading.Event()

    def on_error(error: Exception) -> None:
        if not logged.is_set():
            _log.warning("switches_unreadable", extra={"reason": type(error).__name__})
            logged.set()

    return on_error


if __name__ == "__main__":
    main()
