"""``POST /webhooks/payments``: where the provider tells us what became of a charge."""

import logging
from collections.abc import Callable

from flask import Blueprint, request

from shop.clock import Clock
from shop.errors import InvalidSignature
from shop.payments.signatures import BadSignature, verify
from shop.payments.webhooks import WebhookHandler, read

PATH = "/webhooks/payments"

_log = logging.getLogger(__name__)


def create_webhook(use: Callable[[], WebhookHandler], secret: str, clock: Clock) -> Blueprint:
    """Build the blueprint.

    Args:
        use: returns who acts on messages, for the request being served.
        secret: what messages are signed with; unset, none is believed.
        clock: tells which messages are of now.
    """
    webhook = Blueprint("payments_webhook", __name__)

    @webhook.post(PATH)
    def receive() -> tuple[str, int]:
        """Acknowledge only what is written down: whatever else happens, the provider sends it again."""
        body = request.get_data()
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            verify(secret, headers, body, clock.now().timestamp())  # before anything looks into the body
        except BadSignature as error:
            _log.warning("webhook_not_believed", extra={"reason": str(error)})
            raise InvalidSignature("This message is not signed by the payments provider.") from error
        notice = read(body)
        if notice is not None:
            use().receive(notice)
        return "", 204

    return webhook
