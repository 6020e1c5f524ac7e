"""The composition root: settings and switches in, services out.

Switches become objects here, and for the cache in ``shop/cache_wiring.py``. A :class:`ProcessRuntime` holds the costly
objects that a process shares (pools, clients). :class:`StoreServices` is the object graph for one snapshot of the
switches. A graph is cheap, and it is stored for its snapshot. A request takes its graph once, so it sees one snapshot
from start to end, and no use case reads a switch.
"""

import logging
from collections.abc import Callable, Mapping
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
from shop.attempt_wiring import AttemptSeams, ProcessAttempts
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
from shop.checkout.guest_handover import move_checkout_keys
from shop.checkout.link_mail import LinkMailConsumer
from shop.checkout.payment_reconciler import PaymentReconciler
from shop.checkout.payment_webhooks import PaymentWebhooks
from shop.checkout.phases import CheckoutPhases
from shop.checkout.service import CheckoutService
from shop.clock import Clock, SystemClock
from shop.customers import password_mail
from shop.customers.data_subject_rights import PersonalData
from shop.customers.password_mail import PasswordMailConsumer
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
from shop.patterns.health.readiness import HealthDependency, HealthReport, ReadinessCheck
from shop.patterns.health.server_faults import CheckFailed
from shop.patterns.idempotency.key_store import KeyStore
from shop.patterns.idempotency.policy import EnforceKeys, IdempotencyPolicy, IgnoreKeys
from shop.patterns.idempotency.reaper import KeyReaper
from shop.patterns.observability import correlation, request_record
from shop.patterns.observability.access_log import AccessRecorder, JsonAccessLog, NoAccessLog
from shop.patterns.observability.cache_metrics import CacheTelemetry
from shop.patterns.observability.correlation import AdoptIds
from shop.patterns.observability.json_lines import JsonLinesFile
from shop.patterns.observability.logs import log_path
from shop.patterns.observability.metrics import ProcessMetrics
from shop.patterns.observability.resilience_metrics import ResilienceTelemetry
from shop.patterns.overload import (
    LANES_OF_A_CLIENT,
    SHARED,
    AdaptiveLifoDiscipline,
    AdmissionPolicy,
    AimdLimit,
    CodelDiscipline,
    ConcurrencyLimit,
    FifoDiscipline,
    FixedLimit,
    GradientLimit,
    LanePlan,
    QueueDiscipline,
    plan_lanes,
)
from shop.patterns.queue.inbox import ConsumerInbox
from shop.patterns.rate_limiting import NoRateLimiter, RateLimiter
from shop.patterns.resilience import deadlines
from shop.payments.http_provider import HttpProvider
from shop.payments.orphaned_charges import OrphanedCharges
from shop.payments.provider import NullProvider, PaymentProvider
from shop.payments.refunds import owed_refunds
from shop.payments.resilient_provider import ProviderResilience
from shop.payments.service import PaymentService
from shop.settings import Settings
from shop.switches.attempt_slots import AttemptSlots
from shop.switches.parameters import TTL_SCALE
from shop.switches.registry import SwitchPoller, SwitchSnapshot
from shop.switches.store import SwitchStore
from shop.web.edge_headers import EdgeBypass, EdgeCacheable, EdgeCaching
from shop.web.fast_path import CachedResponseFastPath
from shop.web.folder_hash import asset_path, tree_hash
from shop.web.http_caching import BrowserCaching, EtagRevalidation, NoBrowserCaching
from shop.web.prefetch import RULES_FILE, PrefetchRules
from shop.web.static_publishing import STATIC

_log = logging.getLogger(__name__)

WITHOUT_LIMIT_MS = 30_000
"""Limit of a call to the provider if its timeout is switched off: no thread may hang for ever."""
LIMITS: Mapping[str, Callable[[int], ConcurrencyLimit]] = MappingProxyType(
    {"gradient": GradientLimit, "aimd": AimdLimit, "off": FixedLimit}
)
DISCIPLINES: Mapping[str, Callable[[float], QueueDiscipline]] = MappingProxyType(
    {"codel": CodelDiscipline, "fifo": FifoDiscipline, "adaptive-lifo": AdaptiveLifoDiscipline}
)
LANE_PLANS: Mapping[str, Callable[[int], LanePlan]] = MappingProxyType(
    {
        "shared": lambda threads: SHARED,
        "sharded": lambda threads: plan_lanes(threads, 1),
        "shuffle": lambda threads: plan_lanes(threads, LANES_OF_A_CLIENT),
    }
)
PROJECTIONS: Mapping[str, type[OrderProjection]] = MappingProxyType(
    {"inline": InlineProjection, "async": AsyncProjection}
)


@dataclass(frozen=True)
class StoreServices:
    """All services, for one snapshot of the switches."""

    switches: SwitchSnapshot
    cache: CacheClient
    browser: BrowserCaching
    edge: EdgeCaching
    prefetch: PrefetchRules
    fast_path: CachedResponseFastPath
    adopt_ids: AdoptIds
    admission: AdmissionPolicy
    access_log: AccessRecorder
    rate_limiter: RateLimiter
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
    payment_webhooks: PaymentWebhooks
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
    """The objects that the requests of one process share. Build it after a fork, never before."""

    settings: Settings
    clock: Clock
    database: Database
    switch_store: SwitchStore
    switch_poller: SwitchPoller
    attempts: ProcessAttempts
    cache: CacheRuntime
    edge_registry: SurrogateKeyIndex | None
    metrics: ProcessMetrics
    telemetry: CacheTelemetry
    access_lines: JsonLinesFile
    readiness: ReadinessCheck
    passwords: PasswordHashing
    list_bulkhead: ListBulkhead
    rate_limiter: RateLimiter
    provider: PaymentProvider
    provider_resilience: ProviderResilience
    mailer: MailTransport
    email_templates: EmailTemplates
    _graphs: dict[SwitchSnapshot, StoreServices] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.switch_poller.prepare = self._prepare

    def services(self) -> StoreServices:
        """Return the services for the current snapshot of the switches."""
        snapshot = self.switch_poller.current()
        graph = self._graphs.get(snapshot)
        if graph is None:
            graph = self._graphs[snapshot] = self._compose(snapshot)
        return graph

    def current_seams(self) -> AttemptSeams:
        """Return the attempts of a reader that are in force, for parts outside the services."""
        return self.attempts.seams(self.switch_poller.current())

    def start(self) -> None:
        """Start the background threads of the process."""
        self.switch_poller.start()
        self.cache.start()

    def thread_faults(self) -> dict[str, str]:
        """Return the fault of each background thread by its name; empty text for no fault."""
        return _thread_faults(self.switch_poller, self.cache)

    def close(self) -> None:
        """Stop the threads and close every connection."""
        self.switch_poller.stop()
        self.attempts.close()
        self.readiness.close()
        self.cache.close()
        if self.edge_registry is not None:
            self.edge_registry.close()
        self.rate_limiter.close()
        self.provider.close()
        self.access_lines.close()
        self.database.engine.dispose()

    def _prepare(self, snapshot: SwitchSnapshot) -> None:
        """Compose a graph with a reader's code before it is in force: no request waits for that code to be made.

        The graphs of earlier versions are dropped, because each save makes one.
        """
        if snapshot.attempts:
            kept = {known: graph for known, graph in self._graphs.items() if not known.attempts}
            self._graphs = {**kept, snapshot: self._compose(snapshot)}

    def _compose(self, snapshot: SwitchSnapshot) -> StoreServices:
        settings, database = self.settings, self.database
        seams = self.attempts.seams(snapshot)
        cache = self.cache.compose(snapshot, seams)
        browser = EtagRevalidation() if snapshot["cache.browser"] == "on" else NoBrowserCaching()
        edge: EdgeCaching = EdgeBypass()
        if snapshot["cache.edge"] == "on":
            edge = EdgeCacheable(self.edge_registry, self.clock, snapshot.parameter(TTL_SCALE))
        prefetch = PrefetchRules()
        if snapshot["web.prefetch"] == "on":
            prefetch = PrefetchRules(asset_path(tree_hash(STATIC), RULES_FILE))
        keys: IdempotencyPolicy = IgnoreKeys()
        if snapshot["checkout.idempotency"] == "on":
            claim = timedelta(seconds=self._claim_s(snapshot))
            keys = EnforceKeys(database, KeyStore(timedelta(hours=settings.idempotency_kept_h), claim))
            keys = seams.choose("checkout.idempotency", keys, database=database)
        payments = self._payments(snapshot, seams)
        streams = OrderStreams(PROJECTIONS[snapshot["orders.projection"]]())
        order_links = OrderLinks(settings.secret_keys, self.clock, settings.own_address)
        order_emails = OrderEmails(database, order_links, self.email_templates)
        confirmation: OrderConfirmation = QueuedConfirmation()
        if snapshot["orders.confirmation"] == "inline":
            confirmation = InlineConfirmation(database, order_emails, self.mailer)
        access_log: AccessRecorder = NoAccessLog()
        if snapshot["observability.logs"] == "json":
            access_log = JsonAccessLog(self.access_lines, self.clock)
        rate_limiter: RateLimiter = NoRateLimiter()
        if snapshot["overload.rate_limit"] == "on":
            rate_limiter = self.rate_limiter
        link_requests = LinkRequests(database, clean_email)
        make_inbox = seams.choose("exercise.17", ConsumerInbox)
        make_stock = seams.choose("checkout.stock", STRATEGIES[snapshot["checkout.stock"]])
        phases = CheckoutPhases(streams, payments, make_stock(), cache.invalidate, confirmation)
        orders = OrderService(database, offers.by_ids, streams, owed_refunds)
        checkout_database = database if snapshot["checkout.transaction"] == "on" else database.autocommit()
        reconciler = PaymentReconciler(checkout_database, payments, phases)
        cancellation = OrderCancellation(checkout_database, orders, payments, phases, reconciler)
        carts = CartService(database, offers, move_checkout_keys)
        resets = PasswordResets(database, self.clock, self.passwords)
        product_page = WholeScreen() if snapshot["api.composite"] == "on" else PartByPart()
        return StoreServices(
            switches=snapshot,
            cache=cache,
            browser=browser,
            edge=edge,
            prefetch=prefetch,
            fast_path=CachedResponseFastPath(cache, browser, edge, prefetch),
            catalog=CatalogService(
                database,
                cache,
                CachedResponses(database, cache, self.list_bulkhead),
                ScreenBuilder(database, ProductLister(), bought_together),
                product_page,
            ),
            accounts=AccountService(
                database,
                self.clock,
                self.passwords,
                timedelta(days=settings.token_lifetime_days),
                timedelta(days=settings.session_lifetime_days),
            ),
            password_changes=PasswordChanges(database, self.passwords),
            password_resets=resets,
            password_mail=PasswordMailConsumer(
                make_inbox(database, password_mail.CONSUMER),
                resets,
                self.email_templates,
                self.mailer,
                settings.own_address,
            ),
            session_reaper=SessionReaper(database, self.clock),
            carts=carts,
            cart_reaper=CartReaper(database, timedelta(days=settings.session_lifetime_days)),
            personal_data=PersonalData(
                database,
                self.clock,
                carts,
                lambda slugs: cache.invalidate([tags.product(slug) for slug in slugs]),
            ),
            payments=payments,
            orders=orders,
            checkout=CheckoutService(checkout_database, payments, phases, reconciler, cancellation.refund),
            cancellation=cancellation,
            idempotency=keys,
            key_reaper=KeyReaper(database),
            projector=OrderProjector(database, self.metrics.projections.observe_lag),
            orphaned_charges=OrphanedCharges(database, payments, self.provider),
            completer=CheckoutCompleter(checkout_database, payments, reconciler, cancellation),
            confirmation_consumer=ConfirmationConsumer(make_inbox(database, CONSUMER), order_emails, self.mailer),
            link_mail_consumer=LinkMailConsumer(
                database, make_inbox(database, link_mail.CONSUMER), link_requests, order_emails, self.mailer
            ),
            link_requests=link_requests,
            order_links=order_links,
            fulfilment=OrderFulfilment(
                database,
                orders,
                timedelta(seconds=settings.ship_after_s),
                timedelta(seconds=settings.deliver_after_s),
            ),
            payment_webhooks=PaymentWebhooks(
                checkout_database, payments, phases, cancellation.refund, self.metrics.webhooks.count_webhook
            ),
            admission=self._admission(snapshot),
            adopt_ids=seams.choose("exercise.07", correlation.adopt),
            access_log=access_log,
            rate_limiter=rate_limiter,
        )

    def _admission(self, snapshot: SwitchSnapshot) -> AdmissionPolicy:
        threads, shedding = self.settings.threads, snapshot["overload.shedding"]
        return AdmissionPolicy(
            self.settings.web_queue_length,
            self.settings.web_queue_wait_ms / 1000,
            LIMITS[shedding](threads),
            DISCIPLINES[snapshot["overload.queue"]],
            has_classes=shedding != "off",
            lanes=LANE_PLANS[snapshot["overload.lanes"]](threads),
        )

    def _payments(self, snapshot: SwitchSnapshot, seams: AttemptSeams) -> PaymentService:
        timeout = snapshot["payments.timeout"] == "on"
        provider = self.provider_resilience.wrap(
            self.provider,
            timeout=timeout,
            retries=snapshot["payments.retries"] == "on",
            breaker=snapshot["payments.breaker"] == "on",
            budget=snapshot["retry.budget"],
            choose=seams.choose,
        )
        return PaymentService(provider, self._limit_s(snapshot), claim_s=self._claim_s(snapshot))

    def _limit_s(self, snapshot: SwitchSnapshot) -> float:
        """Return the seconds that a charge and the look-up after it may take together, with all their attempts."""
        limited = snapshot["payments.timeout"] == "on"
        # Without the time limit, each of the two calls may take as long as the HTTP client waits.
        return (self.settings.request_timeout_ms if limited else 2 * WITHOUT_LIMIT_MS) / 1000

    def _claim_s(self, snapshot: SwitchSnapshot) -> float:
        """Return for how many seconds a request owns a payment, or a key whose work is several transactions."""
        return self._limit_s(snapshot) + self.settings.db_statement_timeout_ms / 1000


class CurrentReadiness:
    """The readiness of a process, by the current snapshot of the switches.

    Args:
        runtime: of the process.
    """

    def __init__(self, runtime: ProcessRuntime) -> None:
        self._runtime = runtime

    def latest(self) -> HealthReport:
        """Return the last states of the dependencies."""
        return self._runtime.current_seams().choose("exercise.08", self._runtime.readiness).latest()


def build(settings: Settings, clock: Clock | None = None, process: str = "web") -> ProcessRuntime:
    """Build a process's runtime. It opens no connection and starts no thread before :meth:`ProcessRuntime.start`.

    Args:
        settings: the addresses of all servers, and the limits.
        clock: the machine's own by default.
        process: the name of the process in the logs; only ``web`` limits its clients' rates.

    Raises:
        ConfigurationError: an address is missing or malformed.
    """
    database = Database(
        build_engine(settings, request_record.record_query, deadlines.remaining), request_record.record_retry
    )
    slots = AttemptSlots(settings.var_dir) if settings.is_lab else None
    store = SwitchStore(database, allow_unsafe=settings.is_lab, slots=slots)
    attempts = ProcessAttempts(store, slots, process)
    clock = clock or SystemClock()
    metrics = ProcessMetrics()
    telemetry = CacheTelemetry(metrics.cache)
    poller = SwitchPoller(
        attempts.load,
        settings.switch_refresh_s,
        lambda error: _log.warning("switches_unreadable", extra={"reason": f"{type(error).__name__}: {error}"}),
        lambda snapshot: metrics.switch_snapshot.set(snapshot.digest),
    )
    cache = cache_wiring.build(settings, clock, telemetry)
    edge_registry: SurrogateKeyIndex | None = None
    provider: PaymentProvider = NullProvider()
    if settings.cache_url:
        edge_registry = SurrogateKeyIndex(settings.cache_url, settings.cache_timeout_ms, clock)
    if settings.payments_url is not None:
        provider = HttpProvider(settings.payments_url, WITHOUT_LIMIT_MS, settings.payments_api_key)
    return ProcessRuntime(
        settings=settings,
        clock=clock,
        database=database,
        switch_store=store,
        switch_poller=poller,
        attempts=attempts,
        cache=cache,
        edge_registry=edge_registry,
        metrics=metrics,
        telemetry=telemetry,
        access_lines=JsonLinesFile(log_path(settings, process)),
        readiness=ReadinessCheck(_dependencies(settings, lambda: _thread_faults(poller, cache)), clock),
        passwords=PasswordHashing(waiting=max_waiting(settings.threads)),
        list_bulkhead=ListBulkhead(settings.threads),
        rate_limiter=_rate_limiter(settings, clock, metrics) if process == "web" else NoRateLimiter(),
        provider=provider,
        provider_resilience=ProviderResilience(settings, clock, ResilienceTelemetry(metrics.resilience)),
        mailer=_mailer(settings),
        email_templates=EmailTemplates(),
    )


def _rate_limiter(settings: Settings, clock: Clock, metrics: ProcessMetrics) -> RateLimiter:
    from shop.patterns.rate_limiting.limiter import ClientRateLimiter  # megabytes that only a web process needs

    if not settings.cache_url:
        return NoRateLimiter()
    return ClientRateLimiter(
        settings.cache_url,
        settings.cache_timeout_ms,
        clock,
        metrics.rate_limits.count_request,
        metrics.rate_limits.report_outage,
    )


def _mailer(settings: Settings) -> MailTransport:
    mailer: MailTransport = DatabaseMailer()
    if settings.mail_url is not None:
        timeout_s = settings.mail_timeout_ms / 1000
        mailer = SmtpMailer(settings.mail_url, settings.mail_from, timeout_s, settings.mail_ca_file)
    if not settings.is_lab:
        return mailer
    channel = FaultChannel(settings.run_dir)
    return FaultInjectingMailer(mailer, lambda: channel.report().active.get("mail", NONE))


def _thread_faults(poller: SwitchPoller, cache: CacheRuntime) -> dict[str, str]:
    return {"switches": poller.fault, **cache.thread_faults()}


def _dependencies(settings: Settings, thread_faults: Callable[[], dict[str, str]]) -> list[HealthDependency]:
    """Return the dependencies that readiness checks; the process is not ready without a required one.

    Args:
        settings: the addresses of the servers.
        thread_faults: returns the faults of the process's own threads: without one, the process serves stale responses.
    """

    def check_threads() -> None:
        for name, fault in thread_faults().items():
            if fault:
                raise CheckFailed(f"{name}: {fault}")

    answers, has_schema = checks.postgres(settings.database_url or "")
    dependencies = [HealthDependency("postgres", True, answers), HealthDependency("schema", True, has_schema)]
    if settings.cache_url:
        dependencies.append(HealthDependency("cache", False, checks.valkey(settings.cache_url)))
    if settings.broker_url:
        dependencies.append(HealthDependency("broker", False, checks.broker(settings.broker_url)))
    if settings.payments_url:
        check_provider = checks.payments(settings.payments_url, settings.payments_api_key)
        dependencies.append(HealthDependency("payments", False, check_provider))
    return [*dependencies, HealthDependency("threads", True, check_threads)]
