"""``POST /webhooks/payments``: receives the provider's webhooks and verifies their signatures."""

import logging
from collections.abc import Callable

from flask import Blueprint, request

from shop.clock import Clock
from shop.errors import InvalidSignature
from shop.payments.webhook_signatures import WebhookVerificationError, verify
from shop.payments.webhooks import WebhookHandler, parse_event

PATH = "/webhooks/payments"

_log = logging.getLogger(__name__)


def create_webhook(get_handler: Callable[[], WebhookHandler], secret: str, clock: Clock) -> Blueprint:
    """Build the blueprint.

    Args:
        get_handler: returns the handler of webhook events, for the current request.
        secret: verifies signatures; if it is empty, every webhook is refused.
        clock: tells whether a webhook is recent.
    """
    webhook = Blueprint("payments_webhook", __name__)

    @webhook.post(PATH)
    def receive() -> tuple[str, int]:
        """Acknowledge an event only after it is recorded. After any other response, the provider sends it again."""
        body = request.get_data()
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            verify(secret, headers, body, clock.now().timestamp())  # before the body is parsed
        except WebhookVerificationError as error:
            _log.warning("webhook_rejected", extra={"reason": str(error)})
            raise InvalidSignature("This message is not signed by the payments provider.") from error
        event = parse_event(body)
        if event is not None:
            get_handler().handle(event)
        return "", 204

    return webhook
