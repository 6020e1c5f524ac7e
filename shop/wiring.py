"""The composition root: settings and switches in, services out.

Switches become objects here and nowhere else. A :class:`Runtime` holds what is costly and shared by a process (pools,
clients); :class:`Services` is the object graph for one way the switches can stand. Graphs are cheap and kept, so a
request that takes its graph once sees one snapshot from start to end, and no use case ever asks how a switch stands.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from shop import cache_wiring
from shop.accounts.credentials import clean_email
from shop.accounts.password_changes import PasswordChanges
from shop.accounts.password_resets import PasswordResets
from shop.accounts.passwords import PasswordHashing, max_waiting
from shop.accounts.service import AccountService
from shop.accounts.session_records import SessionReaper
from shop.cache_wiring import CacheRuntime
from shop.cart.reaper import CartReaper
from shop.cart.service import CartService
from shop.catalog import offers, tags
from shop.catalog.cached_responses import CachedResponses
from shop.catalog.listing.list_bulkhead import ListBulkhead
from shop.catalog.listing.product_lister import ProductLister
from shop.catalog.product_page import PartByPart, WholeScreen
from shop.catalog.screens import ScreenBuilder
from shop.catalog.service import CatalogService
from shop.catalog.stock import STRATEGIES
from shop.checkout import link_mail
from shop.checkout.cancellation import OrderCancellation
from shop.checkout.completer import CheckoutCompleter
from shop.checkout.confirmation import (
    CONSUMER,
    ConfirmationConsumer,
    InlineConfirmation,
    OrderConfirmation,
    OrderEmails,
    QueuedConfirmation,
)
from shop.checkout.handover import move_claims
from shop.checkout.link_mail import LinkMailConsumer
from shop.checkout.payment_reconciler import PaymentReconciler
from shop.checkout.payment_webhooks import PaymentWebhooks
from shop.checkout.phases import CheckoutPhases
from shop.checkout.service import CheckoutService
from shop.clock import Clock, SystemClock
from shop.customers import password_mail
from shop.customers.password_mail import PasswordMailConsumer
from shop.customers.rights import PersonalData
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.faults import NONE, FaultChannel
from shop.mail.email_templates import EmailTemplates
from shop.mail.mailer import DatabaseMailer, FaultInjectingMailer, MailTransport, SmtpMailer
from shop.orders.fulfilment import OrderFulfilment
from shop.orders.link_requests import LinkRequests
from shop.orders.links import OrderLinks
from shop.orders.order_stream import OrderStreams
from shop.orders.projection import AsyncProjection, InlineProjection, OrderProjection, OrderProjector
from shop.orders.queries import bought_together
from shop.orders.service import OrderService
from shop.patterns.caching import CacheClient
from shop.patterns.edge import SurrogateKeyIndex
from shop.patterns.health import checks
from shop.patterns.health.readiness import HealthDependency, ReadinessCheck
from shop.patterns.health.server_faults import CheckFailed
from shop.patterns.idempotency.key_store import KeyStore
from shop.patterns.idempotency.policy import EnforceKeys, IdempotencyPolicy, IgnoreKeys
from shop.patterns.idempotency.reaper import KeyReaper
from shop.patterns.observability import request_record
from shop.patterns.observability.access_log import AccessRecorder, JsonAccessLog, NoAccessLog
from shop.patterns.observability.cache_metrics import CacheTelemetry
from shop.patterns.observability.json_lines import JsonLinesFile
from shop.patterns.observability.logs import log_path
from shop.patterns.observability.metrics import ProcessMetrics
from shop.patterns.observability.resilience_metrics import ResilienceTelemetry
from shop.patterns.queue.inbox import ConsumerInbox
from shop.patterns.resilience import deadlines
from shop.payments.http_provider import HttpProvider
from shop.payments.orphaned_charges import OrphanedCharges
from shop.payments.provider import NullProvider, PaymentProvider
from shop.payments.refunds import owed_refunds
from shop.payments.resilient_provider import ProviderResilience
from shop.payments.service import PaymentService
from shop.settings import Settings
from shop.switches import parameters
from shop.switches.registry import SwitchPoller, SwitchSnapshot
from shop.switches.store import SwitchStore
from shop.web.edge_headers import EdgeBypass, EdgeCacheable, EdgeCaching
from shop.web.fast_path import CachedResponseFastPath
from shop.web.http_caching import BrowserCaching, EtagCaching, NoBrowserCaching

_log = logging.getLogger(__name__)

WITHOUT_LIMIT_MS = 30_000
"""What is left of a bound on a call to the provider when timeouts are switched off: nothing may hang for ever."""
PROJECTIONS: Mapping[str, type[OrderProjection]] = MappingProxyType(
    {"inline": InlineProjection, "async": AsyncProjection}
)


@dataclass(frozen=True)
class StoreServices:
    """Everything a request may use, for one snapshot of the switches."""

    switches: SwitchSnapshot
    cache: CacheClient
    browser: BrowserCaching
    edge: EdgeCaching
    fast_path: CachedResponseFastPath
    access_log: AccessRecorder
    idempotency: IdempotencyPolicy
    accounts: AccountService
    password_changes: PasswordChanges
    password_resets: PasswordResets
    password_mail: PasswordMailConsumer
    personal_data: PersonalData
    session_reaper: SessionReaper
    carts: CartService
    cart_reaper: CartReaper
    catalog: CatalogService
    payments: PaymentService
    orders: OrderService
    checkout: CheckoutService
    cancellation: OrderCancellation
    notices: PaymentWebhooks
    key_reaper: KeyReaper
    projector: OrderProjector
    completer: CheckoutCompleter
    orphaned_charges: OrphanedCharges
    confirmation_consumer: ConfirmationConsumer
    link_mail_consumer: LinkMailConsumer
    link_requests: LinkRequests
    order_links: OrderLinks
    fulfilment: OrderFulfilment


@dataclass
class ProcessRuntime:
    """What one process shares between its requests. Build it after a fork, never before."""

    settings: Settings
    clock: Clock
    database: Database
    switch_store: SwitchStore
    board: SwitchPoller
    cache: CacheRuntime
    edge_registry: SurrogateKeyIndex | None
    metrics: ProcessMetrics
    telemetry: CacheTelemetry
    lines: JsonLinesFile
    readiness: ReadinessCheck
    passwords: PasswordHashing
    list_bulkhead: ListBulkhead
    provider: PaymentProvider
    guards: ProviderResilience
    mailer: MailTransport
    stationery: EmailTemplates
    _graphs: dict[SwitchSnapshot, StoreServices] = field(default_factory=dict)

    def services(self) -> StoreServices:
        """Return the services for the switches as they stand now."""
        snapshot = self.board.current()
        graph = self._graphs.get(snapshot)
        if graph is None:
            graph = self._graphs[snapshot] = self._compose(snapshot)
        return graph

    def start(self) -> None:
        """Start the background threads of the process."""
        self.board.start()
        self.cache.start()

    def thread_faults(self) -> dict[str, str]:
        """Return each background thread's name and what is wrong with it; empty text where nothing is."""
        return _thread_faults(self.board, self.cache)

    def close(self) -> None:
        """Stop the threads and give back every connection."""
        self.board.stop()
        self.readiness.close()
        self.cache.close()
        if self.edge_registry is not None:
            self.edge_registry.close()
        self.provider.close()
        self.lines.close()
        self.database.engine.dispose()

    def _compose(self, snapshot: SwitchSnapshot) -> StoreServices:
        cache = self.cache.compose(snapshot)
        browser = EtagCaching() if snapshot["cache.browser"] == "on" else NoBrowserCaching()
        edge = self._edge(snapshot)
        payments = self._payments(snapshot)
        streams = OrderStreams(PROJECTIONS[snapshot["orders.projection"]]())
        links = OrderLinks(self.settings.secret_keys, self.clock, self.settings.own_address)
        letters = OrderEmails(self.database, links, self.stationery)
        link_requests = LinkRequests(self.database, clean_email)
        phases = CheckoutPhases(
            streams,
            payments,
            STRATEGIES[snapshot["checkout.stock"]](),
            cache.invalidate,
            self._confirmation(snapshot, letters),
        )
        orders = OrderService(self.database, offers.by_ids, streams, owed_refunds)
        checking_out = self.database if snapshot["checkout.transaction"] == "on" else self.database.autocommit()
        reconciler = PaymentReconciler(checking_out, payments, phases)
        cancellation = OrderCancellation(checking_out, orders, payments, phases, reconciler)
        carts = CartService(self.database, offers, move_claims)
        resets = PasswordResets(self.database, self.clock, self.passwords)
        product_page = WholeScreen() if snapshot["api.composite"] == "on" else PartByPart()
        return StoreServices(
            switches=snapshot,
            cache=cache,
            browser=browser,
            edge=edge,
            fast_path=CachedResponseFastPath(cache, browser, edge),
            catalog=CatalogService(
                self.database,
                cache,
                CachedResponses(self.database, cache, self.list_bulkhead),
                ScreenBuilder(self.database, ProductLister(), bought_together),
                product_page,
            ),
            accounts=self._accounts(),
            password_changes=PasswordChanges(self.database, self.passwords),
            password_resets=resets,
            password_mail=PasswordMailConsumer(
                ConsumerInbox(self.database, password_mail.CONSUMER),
                resets,
                self.stationery,
                self.mailer,
                self.settings.own_address,
            ),
            session_reaper=SessionReaper(self.database, self.clock),
            carts=carts,
            cart_reaper=CartReaper(self.database, timedelta(days=self.settings.session_lifetime_days)),
            personal_data=PersonalData(
                self.database,
                self.clock,
                carts,
                lambda slugs: cache.invalidate([tags.product(slug) for slug in slugs]),
            ),
            payments=payments,
            orders=orders,
            checkout=CheckoutService(checking_out, payments, phases, reconciler, cancellation.refund),
            cancellation=cancellation,
            idempotency=self._keys(snapshot),
            key_reaper=KeyReaper(self.database),
            projector=OrderProjector(self.database, self.metrics.projections.observe_lag),
            orphaned_charges=OrphanedCharges(self.database, payments, self.provider),
            completer=CheckoutCompleter(checking_out, payments, reconciler, cancellation),
            confirmation_consumer=ConfirmationConsumer(ConsumerInbox(self.database, CONSUMER), letters, self.mailer),
            link_mail_consumer=LinkMailConsumer(
                self.database, ConsumerInbox(self.database, link_mail.CONSUMER), link_requests, letters, self.mailer
            ),
            link_requests=link_requests,
            order_links=links,
            fulfilment=OrderFulfilment(
                self.database,
                orders,
                timedelta(seconds=self.settings.ship_after_s),
                timedelta(seconds=self.settings.deliver_after_s),
            ),
            notices=PaymentWebhooks(
                checking_out, payments, phases, cancellation.refund, self.metrics.webhooks.count_webhook
            ),
            access_log=(
                JsonAccessLog(self.lines, self.clock) if snapshot["observability.logs"] == "json" else NoAccessLog()
            ),
        )

    def _accounts(self) -> AccountService:
        settings = self.settings
        token_lifetime = timedelta(days=settings.token_lifetime_days)
        session_lifetime = timedelta(days=settings.session_lifetime_days)
        return AccountService(self.database, self.clock, self.passwords, token_lifetime, session_lifetime)

    def _confirmation(self, snapshot: SwitchSnapshot, letters: OrderEmails) -> OrderConfirmation:
        if snapshot["orders.confirmation"] == "queue":
            return QueuedConfirmation()
        return InlineConfirmation(self.database, letters, self.mailer)

    def _keys(self, snapshot: SwitchSnapshot) -> IdempotencyPolicy:
        if snapshot["checkout.idempotency"] == "off":
            return IgnoreKeys()
        ttl = timedelta(hours=self.settings.idempotency_kept_h)
        return EnforceKeys(self.database, KeyStore(ttl, timedelta(seconds=self._claim_s(snapshot))))

    def _edge(self, snapshot: SwitchSnapshot) -> EdgeCaching:
        if snapshot["cache.edge"] == "off":
            return EdgeBypass()
        return EdgeCacheable(
            self.edge_registry, self.clock, parameters.current_value(dict(snapshot.parameters), parameters.TTL_SCALE)
        )

    def _payments(self, snapshot: SwitchSnapshot) -> PaymentService:
        timeout = snapshot["payments.timeout"] == "on"
        provider = self.guards.around(
            self.provider,
            timeout=timeout,
            retries=snapshot["payments.retries"] == "on",
            breaker=snapshot["payments.breaker"] == "on",
        )
        return PaymentService(provider, self._limit_s(snapshot), claim_s=self._claim_s(snapshot))

    def _limit_s(self, snapshot: SwitchSnapshot) -> float:
        """Return what all attempts at one call to the provider may take together, at most."""
        limited = snapshot["payments.timeout"] == "on"
        return (self.settings.request_timeout_ms if limited else 2 * WITHOUT_LIMIT_MS) / 1000

    def _claim_s(self, snapshot: SwitchSnapshot) -> float:
        """Return how long a payment, or a key whose work goes on in phases, is one request's own."""
        return self._limit_s(snapshot) + self.settings.db_statement_timeout_ms / 1000


def build(settings: Settings, clock: Clock | None = None, process: str = "web") -> ProcessRuntime:
    """Build a process's runtime. Nothing is connected yet and no thread runs before :meth:`Runtime.start`.

    Args:
        settings: where everything is.
        clock: the machine's own by default.
        process: the name of the process in the logs.

    Raises:
        ConfigurationError: an address is missing or malformed.
    """
    database = Database(
        build_engine(settings, request_record.record_query, deadlines.remaining), request_record.record_retry
    )
    store = SwitchStore(database, allow_unsafe=settings.is_lab)
    clock = clock or SystemClock()
    metrics = ProcessMetrics()
    telemetry = CacheTelemetry(metrics.cache)
    board = SwitchPoller(store.load, settings.switch_refresh_s, _switches_unreadable)
    cache = cache_wiring.build(settings, clock, telemetry)
    return ProcessRuntime(
        settings=settings,
        clock=clock,
        database=database,
        switch_store=store,
        board=board,
        cache=cache,
        edge_registry=_edge_registry(settings, clock),
        metrics=metrics,
        telemetry=telemetry,
        lines=JsonLinesFile(log_path(settings, process)),
        readiness=ReadinessCheck([*_dependencies(settings), _threads(board, cache)], clock),
        passwords=PasswordHashing(waiting=max_waiting(settings.threads)),
        list_bulkhead=ListBulkhead(settings.threads),
        provider=_provider(settings),
        guards=ProviderResilience(settings, clock, ResilienceTelemetry(metrics.resilience)),
        mailer=_mailer(settings),
        stationery=EmailTemplates(),
    )


def _edge_registry(settings: Settings, clock: Clock) -> SurrogateKeyIndex | None:
    """Return where the edge's keys are written down, if there is a server for it."""
    return SurrogateKeyIndex(settings.cache_url, settings.cache_timeout_ms, clock) if settings.cache_url else None


def _provider(settings: Settings) -> PaymentProvider:
    if settings.payments_url is None:
        return NullProvider()
    return HttpProvider(settings.payments_url, WITHOUT_LIMIT_MS, settings.payments_api_key)


def _mailer(settings: Settings) -> MailTransport:
    mailer: MailTransport = DatabaseMailer()
    if settings.mail_url is not None:
        mailer = SmtpMailer(
            settings.mail_url, settings.mail_from, settings.mail_timeout_ms / 1000, settings.mail_ca_file
        )
    if not settings.is_lab:
        return mailer
    desk = FaultChannel(settings.run_dir)
    return FaultInjectingMailer(mailer, lambda: desk.report().active.get("mail", NONE))


def _switches_unreadable(error: Exception) -> None:
    _log.warning("switches_unreadable", extra={"reason": f"{type(error).__name__}: {error}"})


def _thread_faults(board: SwitchPoller, cache: CacheRuntime) -> dict[str, str]:
    return {"switches": board.fault, **cache.thread_faults()}


def _threads(board: SwitchPoller, cache: CacheRuntime) -> HealthDependency:
    """Return what asks for this process's own threads: without one of them it serves what is long out of date."""

    def check() -> None:
        for name, fault in _thread_faults(board, cache).items():
            if fault:
                raise CheckFailed(f"{name}: {fault}")

    return HealthDependency("threads", True, check)


def _dependencies(settings: Settings) -> list[HealthDependency]:
    """Return what the store leans on. Without the database it cannot serve; without the others it serves less."""
    answers, has_schema = checks.postgres(settings.database_url or "")
    found = [HealthDependency("postgres", True, answers), HealthDependency("schema", True, has_schema)]
    if settings.cache_url:
        found.append(HealthDependency("cache", False, checks.valkey(settings.cache_url)))
    if settings.broker_url:
        found.append(HealthDependency("broker", False, checks.broker(settings.broker_url)))
    if settings.payments_url:
        found.append(
            HealthDependency("payments", False, checks.payments(settings.payments_url, settings.payments_api_key))
        )
    return found
