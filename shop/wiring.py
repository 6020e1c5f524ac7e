"""The composition root: settings and switches in, services out.

Switches become objects here and nowhere else. A :class:`Runtime` holds what is costly and shared by a process (pools,
clients); :class:`Services` is the object graph for one way the switches can stand. Graphs are cheap and kept, so a
request that takes its graph once sees one snapshot from start to end, and no use case ever asks how a switch stands.
"""

import logging
from dataclasses import dataclass, field

from shop.clock import Clock, SystemClock
from shop.db import build_engine
from shop.patterns.observability import record
from shop.settings import Settings
from shop.switch_store import SwitchStore
from shop.switches import Board, Snapshot
from shop.unit_of_work import Database

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """Everything a request may use, for one snapshot of the switches."""

    switches: Snapshot


@dataclass
class Runtime:
    """What one process shares between its requests. Build it after a fork, never before."""

    settings: Settings
    clock: Clock
    database: Database
    switch_store: SwitchStore
    board: Board
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
        self.database.engine.dispose()

    def _compose(self, snapshot: Snapshot) -> Services:
        return Services(switches=snapshot)


def build(settings: Settings, clock: Clock | None = None) -> Runtime:
    """Build a process's runtime. Nothing is connected yet and no thread runs before :meth:`Runtime.start`.

    Raises:
        ConfigurationError: an address is missing or malformed.
    """
    database = Database(build_engine(settings, record.query_ran))
    store = SwitchStore(database, allow_unsafe=settings.is_lab)
    return Runtime(
        settings=settings,
        clock=clock or SystemClock(),
        database=database,
        switch_store=store,
        board=Board(store.load, settings.switch_refresh_s, lambda error: _log.warning("switches_unreadable")),
    )
