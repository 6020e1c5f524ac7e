"""The provider's HTTP API, as a process of its own: ``gunicorn 'shop.payments.simulator.app:create_app()'``.

Run it as one worker process with several threads: the keys in flight are kept in its memory. Its books are in
``payments/`` of the state directory and survive ``kill -9``.
"""

import hashlib
import json
import logging
import sqlite3
import time
from typing import Any

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shop.patterns.observability import correlation
from shop.patterns.observability.logs import configure_logging
from shop.payments.simulator.books import FILE, Answer, Asked, Books, KeyReused, write_charge, write_refund
from shop.payments.simulator.in_flight import InFlight
from shop.payments.simulator.tokens import BEHAVIOURS, Behaviour
from shop.settings import Settings, load_settings

KEY_HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
SILENCE_BEYOND_TIMEOUT_S = 1.0
"""How much longer than the store's own timeout a silent answer is held back."""

_log = logging.getLogger(__name__)


class ChargeRequest(BaseModel):
    """What ``POST /charges`` takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    amount: int = Field(gt=0)
    currency: str = Field(pattern="^EUR$")
    token: str
    metadata: dict[str, str] = {}


class RefundRequest(BaseModel):
    """What ``POST /refunds`` takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    charge: str
    amount: int = Field(gt=0)


def create_app(settings: Settings | None = None) -> Flask:
    """Build the provider.

    Args:
        settings: where it keeps its books, and the timeout its silence must outlast; read from the environment
            if not given.
    """
    settings = settings or load_settings()
    configure_logging(settings, "payments")
    app = Flask(__name__)
    provider = _Provider(
        Books(settings.var_dir / FILE),
        InFlight(),
        settings.payments_timeout_ms / 1000 + SILENCE_BEYOND_TIMEOUT_S,
    )
    app.before_request(_begin)
    app.after_request(_finish)
    app.add_url_rule("/charges", view_func=provider.charge, methods=["POST"])
    app.add_url_rule("/charges", "find_charges", provider.find_charges, methods=["GET"])
    app.add_url_rule("/refunds", view_func=provider.refund, methods=["POST"])
    app.add_url_rule("/livez", "livez", lambda: jsonify(status="alive"))
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(KeyReused, lambda error: _refuse(422, "key_reused"))
    return app


class _Provider:
    def __init__(self, books: Books, in_flight: InFlight, silence_s: float) -> None:
        self._books = books
        self._in_flight = in_flight
        self._silence_s = silence_s

    def charge(self) -> Response:
        wanted = ChargeRequest.model_validate(request.get_json(silent=True))
        behaviour = BEHAVIOURS.get(wanted.token)
        if behaviour is None:
            return _refuse(422, "unknown_token")
        return self._once("charge", lambda key: self._charge(key, wanted, behaviour))

    def find_charges(self) -> Response:
        return jsonify(items=self._books.charges(request.args.get("key", "")))

    def refund(self) -> Response:
        wanted = RefundRequest.model_validate(request.get_json(silent=True))

        def work(connection: sqlite3.Connection) -> Answer:
            refund = write_refund(connection, wanted.charge, wanted.amount)
            return Answer(201, refund) if refund else Answer(422, _error("not_refundable"))

        return self._once("refund", lambda key: self._books.answer(_asked("refund", key), work))

    def _charge(self, key: str, wanted: ChargeRequest, behaviour: Behaviour) -> Answer:
        def work(connection: sqlite3.Connection) -> Answer:
            if behaviour.status == 500:
                return Answer(500, _error("processing_error"))
            status = "succeeded" if behaviour.status == 201 else "declined"
            given = wanted.model_dump(exclude={"token"})
            charge = write_charge(connection, key, status=status, **given)
            return Answer(behaviour.status, charge if status == "succeeded" else {**_error("card_declined"), **charge})

        asked = _asked("charge", key)
        first = self._books.remembered(asked)
        if first is not None:
            return first
        time.sleep(behaviour.before_s)
        answer = self._books.answer(asked, work)
        if behaviour.silent:
            time.sleep(self._silence_s)  # the money has moved; only the answer is missing
        return answer

    def _once(self, operation: str, work: Any) -> Response:
        key = request.headers.get(KEY_HEADER, "")
        if not 0 < len(key) <= MAX_KEY_LENGTH:
            return _refuse(400, "key_missing")
        with self._in_flight.holding(operation, key) as free:
            if not free:
                return _refuse(409, "in_flight")
            answer = work(key)
        return _respond(answer)


def _asked(operation: str, key: str) -> Asked:
    body = json.dumps(request.get_json(), sort_keys=True, separators=(",", ":"))
    return Asked(operation, key, hashlib.sha256(body.encode()).hexdigest())


def _begin() -> None:
    correlation.adopt(
        request.headers.get(correlation.REQUEST_ID_HEADER), request.headers.get(correlation.TRACEPARENT_HEADER)
    )


def _finish(response: Response) -> Response:
    response.headers.update(correlation.outgoing_headers())
    _log.info(
        "request",
        extra={"method": request.method, "path": request.path, "status": response.status_code},
    )
    return response


def _invalid(error: ValidationError) -> Response:
    return _refuse(422, "invalid", fields=sorted(".".join(map(str, fault["loc"])) for fault in error.errors()))


def _refuse(status: int, code: str, **more: object) -> Response:
    return _respond(Answer(status, {**_error(code), **more}))


def _error(code: str) -> dict[str, Any]:
    return {"error": code}


def _respond(answer: Answer) -> Response:
    response = jsonify(answer.body)
    response.status_code = answer.status
    return response
