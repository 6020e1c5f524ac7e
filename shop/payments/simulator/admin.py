"""The simulator's administration: behaviour settings, queued webhooks, and manual refunds.

It accepts requests only from this machine, and only with the store's API key.
"""

import ipaddress
from collections.abc import Callable

from flask import Blueprint, Response, abort, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from shop.payments.simulator import behaviour_settings
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.ledger import ProviderLedger, find_charge, write_refund
from shop.payments.simulator.responses import refuse, respond
from shop.payments.simulator.webhook_outbox import WebhookOutbox, enqueue

PREFIX = "/admin"


class ManualRefund(BaseModel):
    """The body of ``POST /admin/charges/<id>/refunds``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    amount: int = Field(gt=0)
    """In minor units."""


def create_admin(
    ledger: ProviderLedger,
    outbox: WebhookOutbox,
    get_behaviour: Callable[[], BehaviourSettings],
    is_authenticated: Callable[[], bool],
) -> Blueprint:
    """Build the blueprint.

    Args:
        ledger: stores the settings.
        outbox: the queued webhooks.
        get_behaviour: returns the present settings.
        is_authenticated: tells whether the current request has the API key.
    """
    admin = Blueprint("admin", __name__, url_prefix=PREFIX)

    @admin.before_request
    def check() -> Response | None:
        if not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104 - compared, not bound
            abort(404)
        return None if is_authenticated() else refuse(401, "unknown_api_key")

    @admin.get("/settings")
    def show() -> Response:
        return jsonify(get_behaviour().model_dump())

    @admin.patch("/settings")
    def change() -> Response:
        changes = BehaviourSettings.model_validate(request.get_json(silent=True))
        with ledger.writing() as connection:
            behaviour_settings.change(connection, changes)
        return show()

    @admin.delete("/settings")
    def reset() -> Response:
        with ledger.writing() as connection:
            behaviour_settings.reset(connection)
        return show()

    @admin.get("/messages")
    def messages() -> Response:
        return jsonify(outbox.count_by_state())

    @admin.delete("/messages")
    def forget() -> Response:
        outbox.give_up_all()
        return messages()

    @admin.post("/charges/<string:charge_id>/refunds")
    def refund(charge_id: str) -> Response:
        """Make a manual refund, as staff does on a provider's website: no idempotency key, but with a webhook."""
        body = ManualRefund.model_validate(request.get_json(silent=True))
        behaviour = get_behaviour()
        with ledger.writing() as connection:
            made = write_refund(connection, charge_id, body.amount)
            if made is None:
                return refuse(422, "not_refundable")
            enqueue(connection, behaviour, "charge.refunded", find_charge(connection, charge_id))
        return respond(201, made)

    return admin
