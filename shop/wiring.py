"""The composition root: settings and switches in, services out.

Switches become objects here and nowhere else. A :class:`Runtime` holds what is costly and shared by a process (pools,
clients); :class:`Services` is the object graph for one way the switches can stand. Graphs are cheap and kept, so a
request that takes its graph once sees one snapshot from start to end, and no use case ever asks how a switch stands.
"""

import logging
from dataclasses import dataclass, field

from shop.clock import Clock, SystemClock
from shop.db import build_engine
from shop.patterns.caching import Cache, Level, NullLevel, SharedLevel, SwitchedOff
from shop.patterns.observability import record
from shop.patterns.observability.cache_telemetry import cache_happened
from shop.settings import Settings
from shop.switch_store import SwitchStore
from shop.switches import Board, Snapshot
from shop.unit_of_work import Database

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """Everything a request may use, for one snapshot of the switches."""

    switches: Snapshot
    cache: Cache


@dataclass
class Runtime:
    """What one process shares between its requests. Build it after a fork, never before."""

    settings: Settings
    clock: Clock
    database: Database
    switch_store: SwitchStore
    board: Board
    shared: Level
    _graphs: dict[Snapshot, Services] = field(default_factory=dict)

    def services(self) -> Services:
        """Return the services for the switches as they stand now."""
        snapshot = self.board.current()
        graph = self._graphs.get(snapshot)
        if graph is None:
            graph = self._graphs[snapshot] = self._compose(snapshot)
        return graph

    def start(self) -> None:
        """Start the background threads of the process."""
        self.board.start()

    def close(self) -> None:
        """Stop the threads and give back every connection."""
        self.board.stop()
        self.shared.close()
        self.database.engine.dispose()

    def _compose(self, snapshot: Snapshot) -> Services:
        level = self.shared if snapshot["cache.shared"] == "on" else SwitchedOff(self.shared)
        return Services(switches=snapshot, cache=Cache(level, self.clock, cache_happened))


def build(settings: Settings, clock: Clock | None = None) -> Runtime:
    """Build a process's runtime. Nothing is connected yet and no thread runs before :meth:`Runtime.start`.

    Raises:
        ConfigurationError: an address is missing or malformed.
    """
    database = Database(build_engine(settings, record.query_ran))
    store = SwitchStore(database, allow_unsafe=settings.is_lab)
    clock = clock or SystemClock()
    return Runtime(
        settings=settings,
        clock=clock,
        database=database,
        switch_store=store,
        board=Board(store.load, settings.switch_refresh_s, lambda error: _log.warning("switches_unreadable")),
        shared=_shared_level(settings, clock),
    )


def _shared_level(settings: Settings, clock: Clock) -> Level:
    if settings.cache_url is None:
        return NullLevel()
    return SharedLevel(settings.cache_url, settings.cache_timeout_ms, clock, cache_happened)
