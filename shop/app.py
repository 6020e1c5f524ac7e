"""The web application: a factory that hangs every feature's routes on one Flask app."""

import logging

from flask_openapi3 import OpenAPI
from gunicorn.errors import AppImportError
from sqlalchemy.exc import OperationalError

from shop.accounts import api as accounts_api
from shop.accounts import own_account, password_reset_routes, sessions
from shop.accounts import pages as accounts_pages
from shop.accounts.credentials import is_same_email
from shop.accounts.password_changes import PasswordChanges
from shop.accounts.password_resets import PasswordResets
from shop.accounts.service import AccountIdentity, AccountService
from shop.cart import api as cart_api
from shop.cart import pages as cart_pages
from shop.cart.service import CartService
from shop.cart.sessions import current_owner
from shop.catalog import admin as catalog_admin
from shop.catalog import api as catalog_api
from shop.catalog import pages as catalog_pages
from shop.catalog.categories.pages import create_category_pages
from shop.catalog.crawler_pages import create_crawler_pages
from shop.catalog.reviews_page import create_review_pages
from shop.catalog.service import CatalogService
from shop.checkout import api as checkout_api
from shop.checkout import pages as checkout_pages
from shop.checkout.cancellation import OrderCancellation
from shop.checkout.payment_webhooks import PaymentWebhooks
from shop.checkout.phases import owner_name
from shop.checkout.service import CheckoutService
from shop.database.schema import require_current
from shop.errors import ConfigurationError
from shop.faults import FaultChannel
from shop.lab_console import faults_api, lab_api, pages, switches_api
from shop.mail.mailer import latest_mails
from shop.mail.models import Mail
from shop.orders import admin as orders_admin
from shop.orders import api as orders_api
from shop.orders import pages as orders_pages
from shop.orders.link_pages import create_link_pages
from shop.orders.service import OrderService, adoption_note
from shop.patterns.caching.inspection import MaxMemory
from shop.patterns.edge.hit_counter import EdgeTotals
from shop.patterns.health.start import require_usable
from shop.patterns.observability import metrics_summary
from shop.patterns.observability.logs import configure_logging
from shop.payments.api import create_webhook
from shop.production_rules import require_production
from shop.settings import Settings, load_settings
from shop.web import (
    access,
    assets,
    deadline,
    idempotency,
    openapi,
    problems,
    request_middleware,
    security,
    template_filters,
)
from shop.web.guest_identity import current_guest, renew_guest
from shop.web.health_probes import HealthProbeMiddleware
from shop.web.host_names import HostNames
from shop.web.identity import current_identity
from shop.web.session_cookie import SessionCookies
from shop.web.trusted_proxy import TrustedProxyMiddleware
from shop.wiring import ProcessRuntime, StoreServices, build

_log = logging.getLogger(__name__)


def create_app(runtime: ProcessRuntime) -> OpenAPI:
    """Build the store's web application.

    Args:
        runtime: what the process shares; the caller starts and closes it.
    """
    settings = runtime.settings
    app = openapi.new_app(__name__, static_folder="web/static", template_folder="web/templates")
    app.session_interface = SessionCookies()
    headers = security.headers(https_only=not settings.is_lab)
    hosts = HostNames(settings)
    request_middleware.install(
        app, runtime.services, runtime.metrics, headers, hosts.is_ours, show_timings=settings.is_lab
    )
    app.wsgi_app = HealthProbeMiddleware(app.wsgi_app, runtime.readiness)  # type: ignore[method-assign]  # outermost: never shed
    app.wsgi_app = TrustedProxyMiddleware(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    deadline.install(app, settings.request_timeout_ms / 1000)
    security.install(app, hosts)
    access.install(app)
    security.install_body_check(app)
    problems.install(app)
    assets.install(app)
    template_filters.install(app, settings.own_address)
    sessions.install(app, lambda: request_middleware.services(StoreServices).accounts, settings)
    if settings.is_lab:
        _hang_lab(app, runtime)
    _hang_accounts(app)
    _hang_cart(app)
    _hang_catalog(app, settings.own_address)
    _hang_orders(app, test_cards=settings.is_lab)
    idempotency.install(app, lambda: owner_name(current_owner()), settings.secret_keys)
    _hang_payments(app, runtime)  # after the keys: a webhook's body is not looked into before it is verified
    return app


def _hang_orders(app: OpenAPI, *, test_cards: bool) -> None:
    def orders() -> OrderService:
        return request_middleware.services(StoreServices).orders

    def checkout() -> CheckoutService:
        return request_middleware.services(StoreServices).checkout

    def cancellation() -> OrderCancellation:
        return request_middleware.services(StoreServices).cancellation

    def carts() -> CartService:
        return request_middleware.services(StoreServices).carts

    def close_refund(public_id: str, closed_by: int, reason: str) -> None:
        cancellation().close_refund(public_id, closed_by, reason)

    app.register_api(orders_api.create_api(orders, close_refund))
    app.register_blueprint(orders_pages.create_pages(orders))
    app.register_blueprint(create_link_pages(orders, lambda: request_middleware.services(StoreServices).link_requests))
    app.register_blueprint(orders_admin.create_admin(orders, close_refund))
    app.register_api(checkout_api.create_api(checkout, cancellation, orders, carts, test_cards=test_cards))
    app.register_blueprint(
        checkout_pages.create_pages(checkout, cancellation, carts, _renew_guest, test_cards=test_cards)
    )


def _hang_payments(app: OpenAPI, runtime: ProcessRuntime) -> None:
    def notices() -> PaymentWebhooks:
        return request_middleware.services(StoreServices).notices

    app.register_blueprint(create_webhook(notices, runtime.settings.payments_webhook_secret, runtime.clock))


def _hang_lab(app: OpenAPI, runtime: ProcessRuntime) -> None:
    settings, store, board, registry = runtime.settings, runtime.switch_store, runtime.board, runtime.metrics.registry
    desk = FaultChannel(settings.run_dir)
    memory = MaxMemory(settings.cache_url) if settings.cache_url else None

    def count() -> metrics_summary.MetricsSummary:
        edge = EdgeTotals.load(settings.edge_answers_file)
        return metrics_summary.collect(
            registry, metrics_summary.EdgeSums(edge.requests, edge.failed, edge.lookups) if edge else None
        )

    def mails(count: int) -> list[Mail]:
        with runtime.database.reading() as session:
            return latest_mails(session, count)

    app.register_api(switches_api.create_api(store, board))
    app.register_api(faults_api.create_api(desk))
    app.register_api(lab_api.create_api(store, board, desk, memory, count, settings, mails))
    app.register_blueprint(pages.create_pages(store, board, desk, count, settings.log_dir, mails))


def _hang_catalog(app: OpenAPI, address: str) -> None:
    def use() -> CatalogService:
        return request_middleware.services(StoreServices).catalog

    app.jinja_env.globals["departments"] = lambda: use().departments()  # the menu of pages that are not its own
    app.register_api(catalog_api.create_api(use))
    app.register_blueprint(catalog_pages.create_pages(use))
    app.register_blueprint(create_category_pages(use))
    app.register_blueprint(create_review_pages(use))
    app.register_blueprint(create_crawler_pages(use, address))
    app.register_blueprint(catalog_admin.create_admin(use))


def _hang_accounts(app: OpenAPI) -> None:
    def use() -> AccountService:
        return request_middleware.services(StoreServices).accounts

    def changes() -> PasswordChanges:
        return request_middleware.services(StoreServices).password_changes

    def resets() -> PasswordResets:
        return request_middleware.services(StoreServices).password_resets

    app.register_api(accounts_api.create_api(use, _welcome))
    app.register_blueprint(accounts_pages.create_pages(use, _welcome))
    app.register_api(own_account.create_account_api(use, changes))
    app.register_blueprint(own_account.create_account_pages(use, changes))
    app.register_api(password_reset_routes.create_reset_api(resets))
    app.register_blueprint(password_reset_routes.create_reset_pages(resets, use))


def _hang_cart(app: OpenAPI) -> None:
    def use() -> CartService:
        return request_middleware.services(StoreServices).carts

    app.register_api(cart_api.create_api(use))
    app.register_blueprint(cart_pages.create_pages(use))


def _welcome(account: AccountIdentity) -> str | None:
    """Bring the guest's orders that were placed under the account's e-mail, and her cart, into the account."""
    services, guest = request_middleware.services(StoreServices), current_guest()
    if guest is None:
        return None
    merged = services.carts.merge(guest.cart_id, account.user_id)  # first: behind it no order of this cart is placed
    adopted = services.orders.claim_guest_orders(
        guest.ids, account.user_id, lambda email: is_same_email(email, account.email)
    )
    notes = (merged, adoption_note(adopted))
    return " ".join(note for note in notes if note) or None


def _renew_guest() -> None:
    """Give the guest, if it is one, a new id to order under; what she has ordered follows her."""
    guest = current_guest()
    if guest is None or current_identity() is not None:
        return
    if guest.earlier_id is not None:
        request_middleware.services(StoreServices).orders.follow(guest.earlier_id, guest.guest_id)
    renew_guest(guest)


def from_environment() -> OpenAPI:
    """Build and start the store in this process: what gunicorn calls in each worker, after the fork.

    Raises:
        AppImportError: a setting is missing or wrong, or the database's schema is not this code's; gunicorn says so in
            one line and gives up, instead of starting the worker again for ever.
    """
    try:
        settings = _complete(load_settings())
        configure_logging(settings, "web")
        require_usable(settings, "cache_url")
        runtime = build(settings)
        _check_schema(runtime)
    except ConfigurationError as error:
        raise AppImportError(f"shop: {error}") from error
    runtime.start()
    app = create_app(runtime)
    app.extensions["runtime"] = runtime
    return app


def _complete(settings: Settings) -> Settings:
    require_production(settings)
    if not settings.secret_key:
        raise ConfigurationError("SHOP_SECRET_KEY is not set: use `shop up`, which makes one, or set a random one.")
    return settings


def _check_schema(runtime: ProcessRuntime) -> None:
    """Refuse to serve from a schema this code was not written for. A database that is away is readiness's business."""
    try:
        with runtime.database.engine.connect() as connection:
            require_current(connection)
    except OperationalError:
        _log.warning("schema_not_checked")
