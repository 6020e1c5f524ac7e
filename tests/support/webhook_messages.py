"""Messages as the provider sends them."""

import json
import time

from shop.payments import signatures

PATH = "/webhooks/payments"


def message(happened, charge, **changed):
    """The body that tells of a charge as the provider's books show it."""
    return json.dumps({"id": "evt_1", "type": happened, "data": {**charge, **changed}}).encode()


def signed(settings, body, sent_at=None, secret=None):
    """The headers that vouch for it."""
    at = int(time.time()) if sent_at is None else sent_at
    return signatures.sign(secret or settings.payments_webhook_secret, "evt_1", at, body)


def deliver(client, settings, body, **more):
    """Post it, as the provider would."""
    return client.post(PATH, data=body, headers=signed(settings, body, **more), content_type="application/json")
