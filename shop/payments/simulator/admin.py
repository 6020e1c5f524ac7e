"""The calls a real provider does not have: how it misbehaves. Only whoever sits at this machine may make them."""

import ipaddress
from collections.abc import Callable

from flask import Blueprint, Response, abort, jsonify, request

from shop.payments.simulator import controls
from shop.payments.simulator.books import Books
from shop.payments.simulator.controls import Controls
from shop.payments.simulator.outbox import Outbox

PREFIX = "/admin"


def create_admin(books: Books, outbox: Outbox, current: Callable[[], Controls]) -> Blueprint:
    """Build the blueprint.

    Args:
        books: where the settings are kept.
        outbox: what is owed.
        current: returns the settings as they stand.
    """
    admin = Blueprint("admin", __name__, url_prefix=PREFIX)
    admin.before_request(_from_this_machine)

    @admin.get("/settings")
    def show() -> Response:
        return jsonify(current().model_dump())

    @admin.patch("/settings")
    def change() -> Response:
        given = Controls.model_validate(request.get_json(silent=True))
        with books.writing() as connection:
            controls.change(connection, given)
        return show()

    @admin.delete("/settings")
    def reset() -> Response:
        with books.writing() as connection:
            controls.reset(connection)
        return show()

    @admin.get("/messages")
    def messages() -> Response:
        return jsonify(outbox.counts())

    @admin.delete("/messages")
    def forget() -> Response:
        outbox.give_up()
        return messages()

    return admin


def _from_this_machine() -> None:
    if not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104 - compared, not bound
        abort(404)
