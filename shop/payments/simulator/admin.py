"""What a provider does beside its API: how it misbehaves, and refunds by hand.

From this machine alone, and with the store's key.
"""

import ipaddress
from collections.abc import Callable

from flask import Blueprint, Response, abort, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from shop.payments.simulator import behaviour_settings
from shop.payments.simulator.answers import refuse, respond
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.ledger import ProviderLedger, find_charge, write_refund
from shop.payments.simulator.outbox import WebhookOutbox, enqueue

PREFIX = "/admin"


class ManualRefund(BaseModel):
    """What ``POST /admin/charges/<id>/refunds`` takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    amount: int = Field(gt=0)
    """In minor units."""


def create_admin(
    books: ProviderLedger, outbox: WebhookOutbox, current: Callable[[], BehaviourSettings], is_known: Callable[[], bool]
) -> Blueprint:
    """Build the blueprint.

    Args:
        books: where the settings are kept.
        outbox: what is owed.
        current: returns the settings as they stand.
        is_known: tells whether the present request shows the key.
    """
    admin = Blueprint("admin", __name__, url_prefix=PREFIX)

    @admin.before_request
    def check() -> Response | None:
        if not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104 - compared, not bound
            abort(404)
        return None if is_known() else refuse(401, "unknown_api_key")

    @admin.get("/settings")
    def show() -> Response:
        return jsonify(current().model_dump())

    @admin.patch("/settings")
    def change() -> Response:
        given = BehaviourSettings.model_validate(request.get_json(silent=True))
        with books.writing() as connection:
            behaviour_settings.change(connection, given)
        return show()

    @admin.delete("/settings")
    def reset() -> Response:
        with books.writing() as connection:
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
        """Give money back as staff does on a provider's own pages: no idempotency key, and the store is told."""
        wanted = ManualRefund.model_validate(request.get_json(silent=True))
        told = current()
        with books.writing() as connection:
            given = write_refund(connection, charge_id, wanted.amount)
            if given is None:
                return refuse(422, "not_refundable")
            enqueue(connection, told, "charge.refunded", find_charge(connection, charge_id))
        return respond(201, given)

    return admin
