"""The provider's HTTP API, as a process of its own: ``gunicorn 'shop.payments.simulator.app:create_app()'``.

Run it as one worker process with several threads: the keys in flight and the messages on their way are kept in its
memory. Its books are in ``payments/`` of the state directory and survive ``kill -9``.
"""

import hmac
import logging
import random
import time
from collections.abc import Callable

from flask import Flask, Response, g, jsonify, request
from pydantic import ValidationError

from shop.errors import ConfigurationError
from shop.patterns.observability import correlation
from shop.patterns.observability.logs import configure_logging
from shop.patterns.resilience import DeadlineExceeded, RequestDeadline, deadlines
from shop.payments.simulator.admin import PREFIX as ADMIN
from shop.payments.simulator.admin import create_admin
from shop.payments.simulator.answers import refuse
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.calls import NotRefundable, SimulatorCalls
from shop.payments.simulator.keys_in_flight import KeysInFlight
from shop.payments.simulator.ledger import FILE, KeyReused, ProviderLedger
from shop.payments.simulator.outbox import WebhookOutbox
from shop.payments.simulator.webhook_dispatcher import WebhookDispatcher
from shop.settings import Settings, load_settings

SILENCE_BEYOND_TIMEOUT_S = 1.0
"""How much longer than the store's own timeout a silent answer is held back."""

_log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> Flask:
    """Build the provider and start its couriers.

    Args:
        settings: where it keeps its books, whom it believes, whom it tells, and the timeout its silence must outlast;
            read from the environment if not given.

    Raises:
        ConfigurationError: a key is missing: without one it would believe anybody.
    """
    settings = settings or load_settings()
    if not settings.is_lab:
        raise ConfigurationError("The simulator takes no real money: name your payments provider in PAYMENTS_URL.")
    if not settings.payments_api_key or not settings.payments_webhook_secret:
        raise ConfigurationError("SHOP_PAYMENTS_API_KEY and SHOP_PAYMENTS_WEBHOOK_SECRET must be set; `shop up` does.")
    configure_logging(settings, "payments")
    books = ProviderLedger(settings.var_dir / FILE)
    outbox = WebhookOutbox(books)
    defaults = BehaviourSettings(webhook_url=settings.payments_webhook_address)

    def current() -> BehaviourSettings:
        return books.behaviour(defaults)

    WebhookDispatcher(outbox, current, settings.payments_webhook_secret).start()
    calls = SimulatorCalls(books, KeysInFlight(), settings.payments_timeout_ms / 1000 + SILENCE_BEYOND_TIMEOUT_S)
    app = Flask(__name__)
    gate = _CallGate(current, settings.payments_api_key)
    app.before_request(gate.check)
    app.after_request(_finish)
    app.register_blueprint(create_admin(books, outbox, current, gate.is_known))
    app.add_url_rule("/charges", view_func=calls.charge, methods=["POST"])
    app.add_url_rule("/charges", "find_charges", calls.find, methods=["GET"])
    app.add_url_rule("/refunds", view_func=calls.refund, methods=["POST"])
    app.add_url_rule("/livez", "livez", lambda: jsonify(status="alive"))
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(NotRefundable, lambda error: refuse(422, "not_refundable"))
    app.register_error_handler(KeyReused, lambda error: refuse(422, "key_reused"))
    app.register_error_handler(DeadlineExceeded, lambda error: refuse(504, "deadline_exceeded"))
    return app


class _CallGate:
    """What every call passes before it is looked at."""

    def __init__(self, current: Callable[[], BehaviourSettings], api_key: str) -> None:
        self._current = current
        self._wanted = f"Bearer {api_key}".encode()

    def check(self) -> Response | None:
        correlation.adopt(
            request.headers.get(correlation.REQUEST_ID_HEADER), request.headers.get(correlation.TRACEPARENT_HEADER)
        )
        left_s = deadlines.read(request.headers.get(deadlines.HEADER))
        deadlines.begin(None if left_s is None else RequestDeadline.within(left_s))
        if request.url_rule is None or request.path.startswith(ADMIN):
            return None  # what does not exist is 404 for everybody, also for whoever asks whether this process is up
        controls = g.controls = self._current()
        if controls.outage:
            return refuse(503, "outage")
        if request.path == "/livez":
            return None
        if not self.is_known():
            return refuse(401, "unknown_api_key")
        time.sleep((controls.latency_ms + random.uniform(0, controls.latency_jitter_ms)) / 1000)
        return refuse(503, "overloaded") if random.random() < controls.error_rate else None

    def is_known(self) -> bool:
        """Tell whether the request shows the key."""
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._wanted)


def _finish(response: Response) -> Response:
    response.headers.update(correlation.outgoing_headers())
    _log.info(
        "request",
        extra={"method": request.method, "path": request.path, "status": response.status_code},
    )
    return response


def _invalid(error: ValidationError) -> Response:
    return refuse(422, "invalid", fields=sorted(".".join(map(str, fault["loc"])) for fault in error.errors()))
