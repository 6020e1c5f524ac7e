"""The provider's HTTP API, as a process of its own: ``gunicorn 'shop.payments.simulator.app:create_app()'``.

Run it as one worker process with several threads: its memory has the keys in flight and the messages in delivery. Its
ledger is in ``payments/`` of the state directory and survives ``kill -9``.
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
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.calls import NotRefundable, SimulatorCalls
from shop.payments.simulator.keys_in_flight import KeysInFlight
from shop.payments.simulator.ledger import FILE, KeyReused, ProviderLedger
from shop.payments.simulator.responses import refuse
from shop.payments.simulator.webhook_dispatcher import WebhookDispatcher
from shop.payments.simulator.webhook_outbox import WebhookOutbox
from shop.settings import Settings, load_settings

SILENCE_BEYOND_TIMEOUT_S = 1.0
"""A silent response is delayed by so many seconds more than the store's timeout."""

_log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> Flask:
    """Build the provider and start its webhook dispatcher.

    Args:
        settings: the ledger's directory, the API key, the webhook's address and secret, and the store's timeout; read
            from the environment if not given.

    Raises:
        ConfigurationError: a key is missing: without it the provider would accept any client.
    """
    settings = settings or load_settings()
    if not settings.is_lab:
        raise ConfigurationError("The simulator takes no real money: name your payments provider in PAYMENTS_URL.")
    if not settings.payments_api_key or not settings.payments_webhook_secret:
        raise ConfigurationError("`bin/shop up` sets SHOP_PAYMENTS_API_KEY and SHOP_PAYMENTS_WEBHOOK_SECRET; set both.")
    configure_logging(settings, "payments")
    ledger = ProviderLedger(settings.var_dir / FILE)
    outbox = WebhookOutbox(ledger)
    defaults = BehaviourSettings(webhook_url=settings.payments_webhook_address)

    def get_behaviour() -> BehaviourSettings:
        return ledger.behaviour(defaults)

    WebhookDispatcher(outbox, get_behaviour, settings.payments_webhook_secret).start()
    calls = SimulatorCalls(ledger, KeysInFlight(), settings.payments_timeout_ms / 1000 + SILENCE_BEYOND_TIMEOUT_S)
    app = Flask(__name__)
    gate = _CallGate(get_behaviour, settings.payments_api_key)
    app.before_request(gate.check)
    app.after_request(gate.finish)
    app.register_blueprint(create_admin(ledger, outbox, get_behaviour, gate.is_authenticated))
    app.add_url_rule("/charges", view_func=calls.charge, methods=["POST"])
    app.add_url_rule("/charges", "find_charges", calls.find, methods=["GET"])
    app.add_url_rule("/refunds", view_func=calls.refund, methods=["POST"])
    app.add_url_rule("/livez", "livez", lambda: jsonify(status="alive"))
    app.register_error_handler(
        ValidationError,
        lambda error: refuse(
            422, "invalid", fields=sorted(".".join(map(str, details["loc"])) for details in error.errors())
        ),
    )
    app.register_error_handler(NotRefundable, lambda error: refuse(422, "not_refundable"))
    app.register_error_handler(KeyReused, lambda error: refuse(422, "key_reused"))
    app.register_error_handler(DeadlineExceeded, lambda error: refuse(504, "deadline_exceeded"))
    return app


class _CallGate:
    """Checks and delays every call before its route runs, and logs every response."""

    def __init__(self, get_behaviour: Callable[[], BehaviourSettings], api_key: str) -> None:
        self._get_behaviour = get_behaviour
        self._authorization = f"Bearer {api_key}".encode()

    def check(self) -> Response | None:
        """Return a refusal, or ``None`` if the route may run."""
        correlation.adopt(
            request.headers.get(correlation.REQUEST_ID_HEADER), request.headers.get(correlation.TRACEPARENT_HEADER)
        )
        remaining_s = deadlines.read(request.headers.get(deadlines.HEADER))
        deadlines.begin(None if remaining_s is None else RequestDeadline.within(remaining_s))
        if request.url_rule is None or request.path.startswith(ADMIN):
            return None  # an unknown path is 404 without authentication, so a probe can tell that the process runs
        behaviour = g.behaviour = self._get_behaviour()
        if behaviour.outage:
            return refuse(503, "outage")
        if request.path == "/livez":
            return None
        if not self.is_authenticated():
            return refuse(401, "unknown_api_key")
        time.sleep((behaviour.latency_ms + random.uniform(0, behaviour.latency_jitter_ms)) / 1000)
        return refuse(503, "overloaded") if random.random() < behaviour.error_rate else None

    def is_authenticated(self) -> bool:
        """Tell whether the request has the API key."""
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), self._authorization)

    @staticmethod
    def finish(response: Response) -> Response:
        """Add the correlation ids to a response, and log the request."""
        response.headers.update(correlation.outgoing_headers())
        _log.info("request", extra={"method": request.method, "path": request.path, "status": response.status_code})
        return response
