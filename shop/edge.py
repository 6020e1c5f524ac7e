"""The process beside nginx: publishes the static files, purges what was invalidated, follows the switches.

One belongs to each nginx, on the same machine: what it deletes are files. ``shop up`` lets the worker do this, which
saves the memory of a process; elsewhere it is ``python -m shop.edge --port PORT``, which answers ``/readyz``
and ``/metrics`` there.
"""

import argparse
import gzip
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import generate_latest

from shop.clock import SystemClock
from shop.db import build_engine
from shop.errors import ConfigurationError
from shop.patterns.caching import Listener
from shop.patterns.edge import AccessLog, Event, Flushed, Purger, Registry, Store
from shop.patterns.edge.access_log import LAYER
from shop.patterns.observability.logs import configure_logging
from shop.patterns.observability.metrics import Metrics
from shop.production_rules import require_production
from shop.settings import PROJECT_ROOT, Settings, load_settings
from shop.switch_store import SwitchStore
from shop.switches import Board, Snapshot
from shop.unit_of_work import Database
from shop.web.fingerprint import tree_hash

LOOKS_A_REFRESH = 4
"""The switches are read this much more often than by the workers: what a worker that has not seen a flip yet lets be
stored must be gone within the second, too."""
LINES_KEPT_BYTES = 64 * 1024 * 1024
"""nginx's log beyond this is moved aside, as the application's is."""
STATIC = PROJECT_ROOT / "shop" / "web" / "static"
MISUSED = 2

_log = logging.getLogger("shop.edge")


class Loop:
    """What is looked at again and again.

    Args:
        settings: where things are.
        purger: deletes.
        board: how the switches stand; read by this loop alone.
        metrics: where the edge's answers are counted.
    """

    def __init__(self, settings: Settings, purger: Purger, board: Board, metrics: Metrics) -> None:
        self._purger = purger
        self._board = board
        self._metrics = metrics
        self.pause_s = settings.switch_refresh_s / LOOKS_A_REFRESH
        self._lines = settings.log_dir / "edge.jsonl"
        self._aside = self._lines.with_name("edge.1.jsonl")
        self._answers = AccessLog(self._lines, self._aside)
        self._pid_file = settings.edge_dir / "nginx.pid"
        self._seen: Snapshot | None = None
        self._settling = 0
        """Looks for which nothing is kept: until then a worker may not have seen the flip."""

    def run(self, stopped: threading.Event) -> None:
        """Look until stopped."""
        while not stopped.wait(self.pause_s):
            self.run_once()

    def run_once(self) -> None:
        """Follow the switches, repeat purges, count answers, mind the log."""
        self._board.refresh()
        now = self._board.current()
        if self._seen is not None and now != self._seen:
            self._purger.flush("a switch was flipped")  # any of them may change what a page says
            self._settling = LOOKS_A_REFRESH + 1
        self._seen = now
        if self._settling or now["cache.edge"] == "off":
            self._settling = max(0, self._settling - 1)
            self._purger.keep_empty()
        self._purger.run_once()
        for (ttl_class, outcome), count in self._answers.read().items():
            self._metrics.cache.counted(LAYER, ttl_class, outcome, count)
        self._mind_the_log()

    def _mind_the_log(self) -> None:
        if self._lines.exists() and self._lines.stat().st_size > LINES_KEPT_BYTES:
            self._lines.replace(self._aside)
            try:
                os.kill(int(self._pid_file.read_text()), signal.SIGUSR1)  # nginx opens its log anew
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
    """Put a file in its place whole: nginx may be asked for it at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f"{path.name}.making")
    making.write_bytes(body)
    making.replace(path)


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, required=True, help="where /readyz is answered, on the loopback address")
    try:
        settings = load_settings()
        require_production(settings)
        configure_logging(settings, "purger")
        _run(settings, parser.parse_args().port)
    except ConfigurationError as error:
        sys.stderr.write(f"shop: {error}\n")
        sys.exit(MISUSED)


class Purging:
    """Everything the purging of one nginx consists of, for whichever process does it.

    Args:
        settings: where things are.
        database: where the switches are; the caller's to close.
        metrics: where answers and purges are counted.

    Raises:
        ConfigurationError: there is no cache, over which invalidations are heard.
    """

    def __init__(self, settings: Settings, database: Database, metrics: Metrics) -> None:
        if settings.cache_url is None:
            raise ConfigurationError("CACHE_URL is not set: invalidations go over it, and the edge must hear them.")
        clock = SystemClock()
        self._registry = Registry(settings.cache_url, settings.cache_timeout_ms, clock)
        publish(STATIC, settings.edge_dir)
        purger = Purger(self._registry, Store(settings.edge_dir / "store"), clock, lambda event: _tell(event, metrics))
        self._listener = Listener(settings.cache_url, purger)
        store = SwitchStore(database, allow_unsafe=settings.is_lab)
        self.loop = Loop(settings, purger, Board(store.load, settings.switch_refresh_s, _quietly()), metrics)

    def start(self) -> None:
        """Hear broadcasts from now on; the loop is the caller's to run."""
        self._listener.start()

    def close(self) -> None:
        """Stop hearing, and give back the connections to the cache."""
        self._listener.stop()
        self._registry.close()


def _run(settings: Settings, port: int) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    database = Database(build_engine(settings))
    metrics = Metrics()
    purging = Purging(settings, database, metrics)
    purging.start()
    probe = ThreadingHTTPServer(("127.0.0.1", port), _probe(metrics))
    threading.Thread(target=probe.serve_forever, name="probe", daemon=True).start()
    try:
        purging.loop.run(stopped)
    finally:
        probe.shutdown()
        purging.close()
        database.engine.dispose()


def _probe(metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    """Return what says that the process lives and has published its files, and on ``/metrics`` what it has counted."""

    class Probe(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = generate_latest(metrics.registry) if self.path == "/metrics" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of probes."""

    return Probe


def _tell(event: Event, metrics: Metrics) -> None:
    if isinstance(event, Flushed):
        metrics.edge.purged("flush", event.files)
        _log.info("edge_flushed", extra={"reason": event.reason, "files": event.files})
        return
    metrics.edge.purged("late" if event.late else "tags", event.files)
    _log.info(
        "edge_purged",
        extra={"tags": list(event.tags), "keys": event.keys, "files": event.files, "late": event.late},
    )


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
