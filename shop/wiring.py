"""The composition root: settings and switches in, services out.

Switches become objects here and nowhere else. A :class:`Runtime` holds what is costly and shared by a process (pools,
clients); :class:`Services` is the object graph for one way the switches can stand. Graphs are cheap and kept, so a
request that takes its graph once sees one snapshot from start to end, and no use case ever asks how a switch stands.
"""

import logging
from dataclasses import dataclass, field
from datetime import timedelta

from shop.accounts.passwords import Passwords
from shop.accounts.service import Accounts
from shop.cart.service import Carts
from shop.catalog import offers
from shop.catalog.presentation import PartByPart, WholeScreen
from shop.catalog.service import Catalog
from shop.catalog.stock import STRATEGIES
from shop.checkout.cancellation import Cancellation
from shop.checkout.phases import Phases
from shop.checkout.reservations import ReservationReaper
from shop.checkout.resolution import Resolution
from shop.checkout.service import Checkout
from shop.clock import Clock, SystemClock
from shop.db import build_engine
from shop.orders.queries import bought_together
from shop.orders.service import Orders
from shop.patterns.caching import (
    Cache,
    Level,
    Listener,
    LocalLevel,
    NullLevel,
    SharedLevel,
    SwitchedOff,
    SwitchedOffLocal,
)
from shop.patterns.health import checks
from shop.patterns.health.readiness import Dependency, Readiness
from shop.patterns.idempotency.keeper import Keeper, KeysHonoured, KeysIgnored
from shop.patterns.idempotency.reaper import KeyReaper
from shop.patterns.idempotency.records import Records
from shop.patterns.observability import record
from shop.patterns.observability.access import AccessLog, JsonAccessLog, NoAccessLog
from shop.patterns.observability.cache_telemetry import CacheTelemetry
from shop.patterns.observability.lines import LineFile
from shop.patterns.observability.logs import log_path
from shop.patterns.observability.metrics import Metrics
from shop.payments.http_provider import HttpProvider
from shop.payments.provider import AbsentProvider, Provider
from shop.payments.service import Payments
from shop.settings import Settings
from shop.switch_store import SwitchStore
from shop.switches import Board, Snapshot
from shop.unit_of_work import Database
from shop.web.browser import BrowserCaching, NoBrowserCaching, Revalidating
from shop.web.short_way import ShortWay

_log = logging.getLogger(__name__)

BYTES_A_MB = 1024 * 1024


@dataclass(frozen=True)
class Services:
    """Everything a request may use, for one snapshot of the switches."""

    switches: Snapshot
    cache: Cache
    browser: BrowserCaching
    short_way: ShortWay
    access_log: AccessLog
    idempotency: Keeper
    accounts: Accounts
    carts: Carts
    catalog: Catalog
    payments: Payments
    orders: Orders
    checkout: Checkout
    cancellation: Cancellation
    key_reaper: KeyReaper
    reservation_reaper: ReservationReaper


@dataclass
class Runtime:
    """What one process shares between its requests. Build it after a fork, never before."""

    settings: Settings
    clock: Clock
    database: Database
    switch_store: SwitchStore
    board: Board
    shared: Level
    local: LocalLevel
    listener: Listener | None
    metrics: Metrics
    telemetry: CacheTelemetry
    lines: LineFile
    readiness: Readiness
    passwords: Passwords
    provider: Provider
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
        if self.listener is not None:
            self.listener.start()

    def close(self) -> None:
        """Stop the threads and give back every connection."""
        self.board.stop()
        if self.listener is not None:
            self.listener.stop()
        self.readiness.close()
        self.shared.close()
        self.provider.close()
        self.lines.close()
        self.database.engine.dispose()

    def _compose(self, snapshot: Snapshot) -> Services:
        level = self.shared if snapshot["cache.shared"] == "on" else SwitchedOff(self.shared)
        local = self.local if snapshot["cache.local"] == "on" else SwitchedOffLocal(self.local)
        cache = Cache(level, self.clock, self.telemetry, local)
        browser = Revalidating() if snapshot["cache.browser"] == "on" else NoBrowserCaching()
        payments = Payments(self.provider, claim_s=_claim_s(self.settings))
        phases = Phases(
            payments,
            STRATEGIES[snapshot["checkout.stock"]](),
            lambda slugs: cache.invalidate([f"product:{slug}" for slug in slugs]),
            timedelta(seconds=self.settings.reservation_s),
        )
        orders = Orders(self.database, offers.by_ids)
        checking_out = self.database if snapshot["checkout.transaction"] == "on" else self.database.piecemeal()
        cancellation = Cancellation(checking_out, orders, payments, phases)
        product_page = WholeScreen() if snapshot["api.composite"] == "on" else PartByPart()
        return Services(
            switches=snapshot,
            cache=cache,
            browser=browser,
            short_way=ShortWay(cache, browser),
            catalog=Catalog(self.database, cache, bought_together, product_page),
            accounts=Accounts(
                self.database, self.clock, self.passwords, timedelta(days=self.settings.token_lifetime_days)
            ),
            carts=Carts(self.database, offers),
            payments=payments,
            orders=orders,
            checkout=Checkout(checking_out, payments, phases, cancellation.refund),
            cancellation=cancellation,
            idempotency=self._keys(snapshot),
            key_reaper=KeyReaper(self.database),
            reservation_reaper=ReservationReaper(checking_out, Resolution(checking_out, payments, phases)),
            access_log=(
                JsonAccessLog(self.lines, self.clock) if snapshot["observability.logs"] == "json" else NoAccessLog()
            ),
        )

    def _keys(self, snapshot: Snapshot) -> Keeper:
        if snapshot["checkout.idempotency"] == "off":
            return KeysIgnored()
        kept_for = timedelta(hours=self.settings.idempotency_kept_h)
        return KeysHonoured(self.database, Records(kept_for, timedelta(seconds=_claim_s(self.settings))))


def build(settings: Settings, clock: Clock | None = None, process: str = "web") -> Runtime:
    """Build a process's runtime. Nothing is connected yet and no thread runs before :meth:`Runtime.start`.

    Args:
        settings: where everything is.
        clock: the machine's own by default.
        process: the name of the process in the logs.

    Raises:
        ConfigurationError: an address is missing or malformed.
    """
    database = Database(build_engine(settings, record.query_ran), record.transaction_retried)
    store = SwitchStore(database, allow_unsafe=settings.is_lab)
    clock = clock or SystemClock()
    metrics = Metrics()
    telemetry = CacheTelemetry(metrics)
    local = LocalLevel(settings.cache_local_mb * BYTES_A_MB, clock)
    listener = None if settings.cache_url is None else Listener(settings.cache_url, local, telemetry)
    return Runtime(
        settings=settings,
        clock=clock,
        database=database,
        switch_store=store,
        board=Board(store.load, settings.switch_refresh_s, _switches_unreadable),
        shared=_shared_level(settings, clock, telemetry),
        local=local,
        listener=listener,
        metrics=metrics,
        telemetry=telemetry,
        lines=LineFile(log_path(settings, process)),
        readiness=Readiness(_dependencies(settings), clock),
        passwords=Passwords(),
        provider=_provider(settings),
    )


def _provider(settings: Settings) -> Provider:
    if settings.payments_url is None:
        return AbsentProvider()
    return HttpProvider(settings.payments_url, settings.payments_timeout_ms)


def _claim_s(settings: Settings) -> float:
    """Return seconds that outlast a charge, a look into the provider's books and the writing down of both."""
    return 2 * settings.payments_timeout_ms / 1000 + settings.db_statement_timeout_ms / 1000


def _switches_unreadable(error: Exception) -> None:
    _log.warning("switches_unreadable", extra={"reason": f"{type(error).__name__}: {error}"})


def _dependencies(settings: Settings) -> list[Dependency]:
    """Return what the store leans on. Without the database it cannot serve; without the others it serves less."""
    answers, has_schema = checks.postgres(settings.database_url or "")
    found = [Dependency("postgres", True, answers), Dependency("schema", True, has_schema)]
    if settings.cache_url:
        found.append(Dependency("cache", False, checks.valkey(settings.cache_url)))
    if settings.broker_url:
        found.append(Dependency("broker", False, checks.valkey(settings.broker_url)))
    if settings.payments_url:
        found.append(Dependency("payments", False, checks.http_service(settings.payments_url)))
    return found


def _shared_level(settings: Settings, clock: Clock, telemetry: CacheTelemetry) -> Level:
    if settings.cache_url is None:
        return NullLevel()
    return SharedLevel(settings.cache_url, settings.cache_timeout_ms, clock, telemetry)
