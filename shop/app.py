"""The web application: a factory that registers the routes of every feature on one Flask app."""

import logging
from typing import cast

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
from shop.admin_overview import AdminOverview, read_overview
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
from shop.checkout.phases import key_owner
from shop.checkout.service import CheckoutService
from shop.database.schema import require_current
from shop.database.transactions import Database
from shop.errors import ConfigurationError
from shop.lab_console import experiments_pages, faults_api, lab_api, switches_api
from shop.lab_console import pages as lab_pages
from shop.lab_console.docs_pages import create_docs_pages, site_folder
from shop.lab_console.live_middleware import LiveFiguresMiddleware
from shop.lab_console_wiring import build_experiments_page, build_lab_console
from shop.orders import admin as orders_admin
from shop.orders import api as orders_api
from shop.orders import order_access
from shop.orders import pages as orders_pages
from shop.orders.link_pages import create_link_pages
from shop.orders.service import OrderService, adoption_note
from shop.patterns.health.start import require_usable
from shop.patterns.observability.logs import configure_logging
from shop.payments.api import create_webhook
from shop.production_rules import require_production
from shop.settings import load_settings
from shop.web import (
    access_control,
    assets,
    deadline,
    idempotency,
    openapi,
    problems,
    rate_limits,
    request_middleware,
    security,
    template_filters,
)
from shop.web.guest_identity import current_guest, renew_guest
from shop.web.health_probes import HealthProbeMiddleware
from shop.web.host_names import HostNames
from shop.web.identity import current_identity
from shop.web.request_services import request_services
from shop.web.session_cookie import SessionCookies
from shop.web.trusted_proxy import TrustedProxyMiddleware
from shop.wiring import CurrentReadiness, ProcessRuntime, StoreServices, build

_log = logging.getLogger(__name__)


def create_app(runtime: ProcessRuntime) -> OpenAPI:
    """Build the store's web application.

    Args:
        runtime: the objects that the process shares; the caller starts and closes it.
    """
    settings = runtime.settings
    app = openapi.new_app(__name__, static_folder="web/static", template_folder="web/templates")
    app.session_interface = SessionCookies()
    headers = security.headers(https_only=not settings.is_lab)
    hosts = HostNames(settings)
    rate_limits.install(app, settings, runtime.clock)
    request_middleware.install(
        app, runtime.services, runtime.metrics, headers, hosts.is_ours, show_timings=settings.is_lab
    )
    if settings.is_lab:
        lab_console = build_lab_console(runtime)
        # Before the application, so that a viewer of the live figures does not count in them.
        app.wsgi_app = LiveFiguresMiddleware(app.wsgi_app, lab_console.live, hosts.is_ours, headers)  # type: ignore[method-assign]
    app.wsgi_app = HealthProbeMiddleware(app.wsgi_app, CurrentReadiness(runtime))  # type: ignore[method-assign]  # outermost: never shed
    app.wsgi_app = TrustedProxyMiddleware(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    deadline.install(app, settings.request_timeout_ms / 1000, runtime.clock, runtime.metrics.observe_deadline_refusal)
    security.install(app, hosts)
    access_control.install(app)
    security.install_body_check(app)
    problems.install(app)
    assets.install(app)
    template_filters.install(app, settings.own_address)
    sessions.install(app, lambda: _services().accounts, settings)
    order_access.install(app, lambda: _services().order_links)
    if settings.is_lab:
        app.register_api(switches_api.create_api(lab_console))
        app.register_api(faults_api.create_api(lab_console))
        app.register_api(lab_api.create_api(lab_console))
        app.register_blueprint(lab_pages.create_pages(lab_console))
        app.register_blueprint(create_docs_pages(site_folder(settings.var_dir)))
        app.register_blueprint(experiments_pages.create_pages(build_experiments_page(runtime.settings)))
    _register_accounts(app, demo_accounts=settings.is_lab)
    _register_cart(app)
    _register_catalog(app, settings.own_address, runtime.database)
    _register_orders(app)
    _register_checkout(app, test_cards=settings.is_lab)
    idempotency.install(app, lambda: key_owner(current_owner()), settings.secret_keys)
    # After the keys: nothing reads the body of a webhook before its signature is verified.
    app.register_blueprint(
        create_webhook(lambda: _services().payment_webhooks, settings.payments_webhook_secret, runtime.clock)
    )
    return app


def _services() -> StoreServices:
    """Return the services of the request being served."""
    return cast(StoreServices, request_services())


def _register_accounts(app: OpenAPI, *, demo_accounts: bool) -> None:
    def get_service() -> AccountService:
        return _services().accounts

    def changes() -> PasswordChanges:
        return _services().password_changes

    def resets() -> PasswordResets:
        return _services().password_resets

    app.register_api(accounts_api.create_api(get_service, merge_guest_session))
    app.register_blueprint(accounts_pages.create_pages(get_service, merge_guest_session, demo_accounts=demo_accounts))
    app.register_api(own_account.create_account_api(get_service, changes))
    app.register_blueprint(own_account.create_account_pages(get_service, changes))
    app.register_api(password_reset_routes.create_reset_api(resets))
    app.register_blueprint(password_reset_routes.create_reset_pages(resets, get_service))


def _register_cart(app: OpenAPI) -> None:
    def get_service() -> CartService:
        return _services().carts

    app.register_api(cart_api.create_api(get_service))
    app.register_blueprint(cart_pages.create_pages(get_service))


def _register_catalog(app: OpenAPI, address: str, database: Database) -> None:
    def get_service() -> CatalogService:
        return _services().catalog

    def get_overview() -> AdminOverview:
        return read_overview(database, _services().orders, _services().catalog)

    app.jinja_env.globals["departments"] = lambda: get_service().departments()  # the menu of other features' pages
    app.register_api(catalog_api.create_api(get_service))
    app.register_blueprint(catalog_pages.create_pages(get_service))
    app.register_blueprint(create_category_pages(get_service))
    app.register_blueprint(create_review_pages(get_service))
    app.register_blueprint(create_crawler_pages(get_service, address))
    app.register_blueprint(catalog_admin.create_admin(get_service, get_overview))


def _register_orders(app: OpenAPI) -> None:
    def get_service() -> OrderService:
        return _services().orders

    def close_refund(public_id: str, closed_by: int, reason: str) -> None:
        _services().cancellation.close_refund(public_id, closed_by, reason)

    app.register_api(orders_api.create_api(get_service, close_refund))
    app.register_blueprint(orders_pages.create_pages(get_service))
    app.register_blueprint(create_link_pages(get_service, lambda: _services().link_requests))
    app.register_blueprint(orders_admin.create_admin(get_service, close_refund))


def _register_checkout(app: OpenAPI, *, test_cards: bool) -> None:
    def get_service() -> CheckoutService:
        return _services().checkout

    def cancellation() -> OrderCancellation:
        return _services().cancellation

    def carts() -> CartService:
        return _services().carts

    app.register_api(
        checkout_api.create_api(get_service, cancellation, lambda: _services().orders, carts, test_cards=test_cards)
    )
    app.register_blueprint(
        checkout_pages.create_pages(get_service, cancellation, carts, renew_guest_session, test_cards=test_cards)
    )


def merge_guest_session(account: AccountIdentity) -> str | None:
    """Move the guest's cart, and the orders placed under the account's email address, into the account.

    Returns:
        A note to the shopper about what was moved; ``None`` if nothing was.
    """
    services, guest = _services(), current_guest()
    if guest is None:
        return None
    merged = services.carts.merge(guest.cart_id, account.user_id)  # first: after it no order of this cart is placed
    adopted = services.orders.claim_guest_orders(
        guest.ids, account.user_id, lambda email: is_same_email(email, account.email)
    )
    notes = (merged, adoption_note(adopted))
    return " ".join(note for note in notes if note) or None


def renew_guest_session() -> None:
    """Give a guest a new id to order under; the orders under an earlier id follow it."""
    guest = current_guest()
    if guest is None or current_identity() is not None:
        return
    if guest.earlier_id is not None:
        _services().orders.change_guest_id(guest.earlier_id, guest.guest_id)
    renew_guest(guest)


def from_environment() -> OpenAPI:
    """Build and start the store in this process; gunicorn calls it in each worker, after the fork.

    Raises:
        AppImportError: a setting is missing or wrong, or the database has the schema of another release. gunicorn then
            prints one line and exits, instead of restarting the worker for ever.
    """
    try:
        settings = load_settings()
        require_production(settings)
        if not settings.secret_key:
            raise ConfigurationError("SHOP_SECRET_KEY is not set: use `bin/shop up`, which makes one, or set one.")
        configure_logging(settings, "web")
        require_usable(settings, "cache_url")
        runtime = build(settings)
        try:
            with runtime.database.engine.connect() as connection:
                require_current(connection)
        except OperationalError:  # the database is away: readiness reports it
            _log.warning("schema_not_checked")
    except ConfigurationError as error:
        raise AppImportError(f"shop: {error}") from error
    runtime.start()
    app = create_app(runtime)
    app.extensions["runtime"] = runtime
    return app
