"""The provider's calls: charge, look up, give back. Each change is done once a key and answered the same ever after."""

import hashlib
import json
import random
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from flask import Response, g, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from shop.patterns.resilience import deadlines
from shop.payments.simulator import outbox
from shop.payments.simulator.answers import error_body, refuse, respond
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.keys_in_flight import KeysInFlight
from shop.payments.simulator.ledger import (
    LedgerRequest,
    ProviderLedger,
    RecordedAnswer,
    find_charge,
    write_charge,
    write_refund,
)
from shop.payments.simulator.tokens import BEHAVIOURS, TokenBehaviour

KEY_HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
MAX_PAGE_SIZE = 1_000


class ChargeBody(BaseModel):
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


class NotRefundable(Exception):
    """So much of the charge is not left, or the provider refuses without a reason.

    Nothing has moved, so it is not remembered under the key: the same call may be made again later.
    """


class ChargeQuery(BaseModel):
    """Which charges are asked for: the one under a key, or the next ones behind an id."""

    model_config = ConfigDict(extra="forbid")

    key: str | None = Field(default=None, min_length=1, max_length=MAX_KEY_LENGTH)
    after: str = ""
    limit: int = Field(default=100, ge=1, le=MAX_PAGE_SIZE)


class SimulatorCalls:
    """What the routes do.

    Args:
        books: where all is written.
        in_flight: the keys being worked on.
        silence_s: how long an answer is held back that shall never come.
    """

    def __init__(self, books: ProviderLedger, in_flight: KeysInFlight, silence_s: float) -> None:
        self._books = books
        self._in_flight = in_flight
        self._silence_s = silence_s

    def charge(self) -> Response:
        """Take money."""
        wanted = ChargeBody.model_validate(request.get_json(silent=True))
        behaviour = BEHAVIOURS.get(wanted.token)
        if behaviour is None:
            return refuse(422, "unknown_token")
        controls: BehaviourSettings = g.controls
        silent = behaviour.silent or random.random() < controls.silent_rate
        if random.random() < controls.decline_rate:
            behaviour = TokenBehaviour(status=402)
        first_time = False

        def work(connection: sqlite3.Connection, key: str) -> RecordedAnswer:
            nonlocal first_time
            first_time = True
            return _charge(connection, key, wanted, behaviour, controls)

        answer = self._once("charge", work, behaviour.delay_s)
        if silent and first_time and answer.status_code == 201:
            time.sleep(self._silence_s)  # the money has moved and the key is free again; only the answer is missing
        return answer

    def find(self) -> Response:
        """Show charges."""
        page = ChargeQuery.model_validate(request.args.to_dict())
        if page.key is not None:
            return jsonify(items=self._books.charges_with_key(page.key))
        return jsonify(items=self._books.charges_after(page.after, page.limit))

    def refund(self) -> Response:
        """Give money back: of a charge that was made, and never more than is left of it."""
        wanted = RefundRequest.model_validate(request.get_json(silent=True))
        controls: BehaviourSettings = g.controls

        def work(connection: sqlite3.Connection, key: str) -> RecordedAnswer:
            is_refused = random.random() < controls.refund_refusal_rate
            refund = None if is_refused else write_refund(connection, wanted.charge, wanted.amount)
            if refund is None:
                raise NotRefundable
            outbox.enqueue(connection, controls, "charge.refunded", find_charge(connection, wanted.charge))
            return RecordedAnswer(201, refund)

        return self._once("refund", work)

    def _once(
        self, operation: str, work: Callable[[sqlite3.Connection, str], RecordedAnswer], before_s: float = 0.0
    ) -> Response:
        """Do ``work`` unless it was done under this key before; answer what was answered then."""
        key = request.headers.get(KEY_HEADER, "")
        if not 0 < len(key) <= MAX_KEY_LENGTH:
            return refuse(400, "key_missing")
        asked = _asked(operation, key)
        with self._in_flight.hold(operation, key) as free:
            if not free:
                return refuse(409, "in_flight")
            answer = self._books.recorded_answer(asked)
            if answer is None:
                time.sleep(before_s)
                deadlines.check()  # whoever asked has gone: better not done than done for nobody
                answer = self._books.execute_once(asked, lambda connection: work(connection, key))
        return respond(answer.status, answer.body)


def _charge(
    connection: sqlite3.Connection, key: str, wanted: ChargeBody, behaviour: TokenBehaviour, controls: BehaviourSettings
) -> RecordedAnswer:
    if behaviour.status == 500:
        return RecordedAnswer(500, error_body("processing_error"))
    status = "succeeded" if behaviour.status == 201 else "declined"
    charge = write_charge(connection, key, status=status, **wanted.model_dump(exclude={"token"}))
    outbox.enqueue(connection, controls, f"charge.{status}", charge)
    return RecordedAnswer(
        behaviour.status, charge if status == "succeeded" else {**error_body("card_declined"), **charge}
    )


def _asked(operation: str, key: str) -> LedgerRequest:
    body: Any = request.get_json()
    written = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return LedgerRequest(operation, key, hashlib.sha256(written.encode()).hexdigest())
