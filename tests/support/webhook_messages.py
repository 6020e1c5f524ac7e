"""Webhook messages in the provider's format."""

import json
import time

from shop.payments import webhook_signatures

PATH = "/webhooks/payments"


def webhook_body(happened, charge, **changed):
    """Return the body of a webhook about a charge."""
    return json.dumps({"id": "evt_1", "type": happened, "data": {**charge, **changed}}).encode()


def signed_headers(settings, body, sent_at=None, secret=None):
    """Return the headers with the signature of a body."""
    at = int(time.time()) if sent_at is None else sent_at
    return webhook_signatures.sign(secret or settings.payments_webhook_secret, "evt_1", at, body)


def post_webhook(client, settings, body, **more):
    """Post a signed webhook to the store."""
    return client.post(PATH, data=body, headers=signed_headers(settings, body, **more), content_type="application/json")
