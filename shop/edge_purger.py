"""The process beside nginx: publishes the static files, purges what was invalidated, follows the switches.

One belongs to each nginx, on the same machine: what it deletes are files. ``shop up`` lets the worker do this, which
saves the memory of a process; elsewhere it is ``python -m shop.edge_purger --port PORT``, which answers ``/readyz``
and ``/metrics`` there.
"""

import argparse
import gzip
import json
import logging
import math
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prometheus_client import generate_latest

from shop.clock import SystemClock
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.errors import ConfigurationError
from shop.patterns import background_loop
from shop.patterns.background_loop import LoopRunner
from shop.patterns.caching import InvalidationListener
from shop.patterns.edge import (
    EdgeLogReader,
    ProxyCacheFiles,
    SurrogateKeyIndex,
    TagPurger,
)
from shop.patterns.edge.access_log import LAYER
from shop.patterns.edge.hit_counter import EdgeTotals
from shop.patterns.health.probe_server import Answer, ProbeServer
from shop.patterns.health.start import require_usable
from shop.patterns.observability.edge_metrics import EdgeTelemetry
from shop.patterns.observability.logs import configure_logging
from shop.patterns.observability.metrics import ProcessMetrics
from shop.production_rules import require_production
from shop.settings import PROJECT_ROOT, Settings, load_settings
from shop.switches.registry import SwitchPoller, SwitchSnapshot
from shop.switches.store import SwitchStore
from shop.web.fingerprint import tree_hash

POLLS_PER_REFRESH = 4
"""The switches are read this much more often than by the workers: what a worker that has not seen a flip yet lets be
stored must be gone within the second, too."""
LOG_MAX_BYTES = 64 * 1024 * 1024
"""nginx's log beyond this is moved aside, as the application's is."""
ROTATION_PAUSE_S = 1.0
"""By then each of nginx's processes has opened the new log, and what it had not written yet is in the old one."""
CONTAINER_INIT_PID = 1
"""nginx's number where it has a container to itself: of processes that this one does not see, and whose first is not
nginx here. A script beside it sees that the log is gone (``deploy/nginx/reopen-log.sh``)."""
SAVE_EVERY_S = 1.0
"""How far behind ``/lab`` may show what the edge answered."""
BACKOFF_CAP_S = 1.0
"""Seconds a round that failed is followed by, at most: purges wait to be repeated."""
STATIC = PROJECT_ROOT / "shop" / "web" / "static"
EXIT_USAGE = 2
STOP_S = 5.0
"""Seconds a round under way gets to end."""

_log = logging.getLogger("shop.edge_purger")


class PurgerLoop:
    """What is looked at again and again.

    Args:
        settings: where things are.
        purger: deletes.
        board: how the switches stand; read by this loop alone.
        metrics: where the edge's answers are counted.
    """

    def __init__(self, settings: Settings, purger: TagPurger, board: SwitchPoller, metrics: ProcessMetrics) -> None:
        self._purger = purger
        self._board = board
        self._metrics = metrics
        self.pause_s = settings.switch_refresh_s / POLLS_PER_REFRESH
        self._lines = settings.log_dir / "edge.jsonl"
        self._aside = self._lines.with_name("edge.1.jsonl")
        self._totals_file = settings.edge_answers_file
        self._totals = EdgeTotals.load(self._totals_file) or EdgeTotals()
        self._answers = EdgeLogReader(self._lines, self._aside, self._totals.position)
        self._saved_at = self._moved_at = -math.inf
        self._unsaved = False
        self._home = settings.edge_dir
        self._pid_file = self._home / "nginx.pid"
        self._published = False
        self._seen: SwitchSnapshot | None = None
        self._settling = 0
        """Looks for which nothing is kept: until then a worker may not have seen the flip."""

    def run_once(self) -> None:
        """Follow the switches, repeat purges; then what can wait: count answers, mind the log, publish."""
        self._board.refresh()
        now = self._board.current()
        if self._seen is not None and now != self._seen:
            self._purger.flush("a switch was flipped")  # any of them may change what a page says
            self._settling = POLLS_PER_REFRESH + 1
        self._seen = now
        if self._settling or now["cache.edge"] == "off":
            self._settling = max(0, self._settling - 1)
            self._purger.enforce_empty()
        self._purger.run_once()
        self._count()
        self._mind_the_log()
        self.publish_once()

    def publish_once(self) -> None:
        """Publish the static files, if that was not done yet.

        Raises:
            OSError: they cannot all be written.
        """
        if not self._published:
            publish(STATIC, self._home)
            self._published = True

    def _count(self) -> None:
        found = self._answers.read()
        for answer, count in found.items():
            self._metrics.cache.add_lookups(LAYER, answer.ttl_class, answer.outcome, count)
            self._metrics.edge.responses.observe(*answer, count)
        before = self._totals.position
        self._totals.add(found, self._answers.position)
        if self._totals.position != before:
            self._unsaved = True
        if self._unsaved and time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            with suppress(OSError):  # a full disk: what is not saved now is saved later
                self._totals_file.parent.mkdir(parents=True, exist_ok=True)
                self._totals.save(self._totals_file)
                self._unsaved = False
            self._saved_at = time.monotonic()

    def _mind_the_log(self) -> None:
        now = time.monotonic()
        if now - self._moved_at < ROTATION_PAUSE_S or not self._lines.exists():
            return
        if self._lines.stat().st_size > LOG_MAX_BYTES:
            self._lines.replace(self._aside)
            self._moved_at = now
            self._have_the_log_reopened()

    def _have_the_log_reopened(self) -> None:
        try:
            nginx = int(self._pid_file.read_text())
            if nginx != CONTAINER_INIT_PID:
                os.kill(nginx, signal.SIGUSR1)
        except (OSError, ValueError):
            _log.warning("edge_log_not_reopened")


def publish(source: Path, home: Path) -> Path:
    """Lay the static files out as nginx serves them, under their hash, each plain and compressed.

    Returns:
        The directory that holds both.
    """
    version = tree_hash(source)
    published = home / "published"
    for path in sorted(found for found in source.rglob("*") if found.is_file()):
        name = path.relative_to(source)
        _write(published / "identity" / "assets" / version / name, path.read_bytes())
        _write(published / "gzip" / "assets" / version / name, gzip.compress(path.read_bytes(), 9, mtime=0))
    for coding in ("identity", "gzip"):
        for old in (published / coding / "assets").iterdir():
            if old.name != version:
                shutil.rmtree(old)
    return published


def _write(path: Path, body: bytes) -> None:
    """Put a file in its place whole, undated: nginx may be asked for it at any moment.

    nginx makes a file's validator of its date and size. Without a date it is the same on every host, after every start;
    what has other bytes has another address, or, compressed, another size.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f"{path.name}.making")
    making.write_bytes(body)
    os.utime(making, (0, 0))
    making.replace(path)


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, required=True, help="where probes and figures are answered")
    try:
        settings = load_settings()
        require_production(settings)
        configure_logging(settings, "purger")
        require_usable(settings, "cache_url")
        _run(settings, parser.parse_args().port)
    except ConfigurationError as error:
        sys.stderr.write(f"shop: {error}\n")
        sys.exit(EXIT_USAGE)


class EdgePurger:
    """Everything the purging of one nginx consists of, for whichever process does it.

    Args:
        settings: where things are.
        database: where the switches are; the caller's to close.
        metrics: where answers and purges are counted.

    Raises:
        ConfigurationError: there is no cache, over which invalidations are heard.
    """

    def __init__(self, settings: Settings, database: Database, metrics: ProcessMetrics) -> None:
        if settings.cache_url is None:
            raise ConfigurationError("CACHE_URL is not set: invalidations go over it, and the edge must hear them.")
        clock = SystemClock()
        self._registry = SurrogateKeyIndex(settings.cache_url, settings.cache_timeout_ms, clock)
        self._store = ProxyCacheFiles(settings.edge_dir / "store")
        purger = TagPurger(self._registry, self._store, clock, EdgeTelemetry(metrics.edge))
        self._listener = InvalidationListener(settings.cache_url, purger)
        store = SwitchStore(database, allow_unsafe=settings.is_lab)
        self._purger = purger
        self.loop = PurgerLoop(
            settings, purger, SwitchPoller(store.load, settings.switch_refresh_s, _quietly()), metrics
        )
        try:
            self.loop.publish_once()
        except OSError as error:  # the application serves them meanwhile, and there is other work to do
            _log.warning("assets_not_published", extra={"reason": str(error)})

    def start(self) -> None:
        """Hear broadcasts from now on; the loop is the caller's to run."""
        self._listener.start()

    def runner(self, stopped: threading.Event) -> LoopRunner:
        """Return what runs the loop until stopped, whatever becomes of a round."""
        every_s = self.loop.pause_s
        return LoopRunner(
            background_loop.BackgroundLoop("purger", self.loop.run_once, every_s, cap_s=max(every_s, BACKOFF_CAP_S)),
            stopped,
        )

    def faults(self) -> dict[str, str]:
        """Return what purging depends on and what is wrong with it; empty text where nothing is."""
        return {"edge-store": self._purger.fault or self._store.fault, "edge-invalidations": self._listener.fault}

    def close(self) -> None:
        """Stop hearing, and give back the connections to the cache."""
        self._listener.stop()
        self._registry.close()


def _run(settings: Settings, port: int) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    database = Database(build_engine(settings))
    database.require_usable()
    metrics = ProcessMetrics()
    purging = EdgePurger(settings, database, metrics)
    purging.start()
    runner = purging.runner(stopped)
    probe = ProbeServer(_answers(purging, runner, metrics), settings.metrics_hosts, port)
    runner.start()
    probe.start()
    try:
        stopped.wait()
    finally:
        runner.join(STOP_S)
        probe.stop()
        purging.close()
        database.engine.dispose()


def _answers(purging: EdgePurger, runner: LoopRunner, metrics: ProcessMetrics) -> Answer:
    """Return what says on ``/readyz`` whether purging is well, and on ``/metrics`` what was counted.

    Every other path answers 200: the process lives, and has published its files.
    """

    def answer(path: str) -> tuple[int, bytes, str]:
        if path == "/metrics":
            return 200, generate_latest(metrics.registry), "text/plain; version=0.0.4"
        if path == "/readyz":
            faults = {runner.loop.name: runner.fault, **purging.faults()}
            return 503 if any(faults.values()) else 200, json.dumps({"loops": faults}).encode(), "application/json"
        return 200, b"", "text/plain"

    return answer


def _quietly() -> Callable[[Exception], None]:
    """Return what is told of switches that cannot be read: it says so once an outage, not at every look."""
    said: list[str] = []

    def tell(error: Exception) -> None:
        if not said:
            _log.warning("switches_unreadable", extra={"reason": type(error).__name__})
            said.append("")

    return tell


if __name__ == "__main__":
    main()
