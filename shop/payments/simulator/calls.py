"""The provider's API routes: charge, look up, refund. A change happens once per key, and its response is stored."""

import hashlib
import json
import random
import sqlite3
import time
from collections.abc import Callable

from flask import Response, g, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from shop.patterns.resilience import deadlines
from shop.payments.simulator import webhook_outbox
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
from shop.payments.simulator.responses import error_body, refuse, respond
from shop.payments.simulator.tokens import TOKENS, TokenBehaviour

KEY_HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
MAX_PAGE_SIZE = 1_000


class ChargeBody(BaseModel):
    """The body of ``POST /charges``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    amount: int = Field(gt=0)
    currency: str = Field(pattern="^EUR$")
    token: str
    metadata: dict[str, str] = {}


class RefundRequest(BaseModel):
    """The body of ``POST /refunds``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    charge: str
    amount: int = Field(gt=0)


class NotRefundable(Exception):
    """The remainder of the charge is smaller, or the simulator refuses at random.

    Nothing was changed, so no response is stored under the key: the same call may be repeated later.
    """


class ChargeQuery(BaseModel):
    """The query of ``GET /charges``: one charge by its key, or the page after an id."""

    model_config = ConfigDict(extra="forbid")

    key: str | None = Field(default=None, min_length=1, max_length=MAX_KEY_LENGTH)
    after: str = ""
    limit: int = Field(default=100, ge=1, le=MAX_PAGE_SIZE)


class SimulatorCalls:
    """The view functions.

    Args:
        ledger: stores charges, refunds and responses.
        in_flight: the keys of calls in progress.
        silence_s: the delay of a silent response, longer than the caller's timeout.
    """

    def __init__(self, ledger: ProviderLedger, in_flight: KeysInFlight, silence_s: float) -> None:
        self._ledger = ledger
        self._in_flight = in_flight
        self._silence_s = silence_s

    def charge(self) -> Response:
        """Charge a card."""
        body = ChargeBody.model_validate(request.get_json(silent=True))
        token = TOKENS.get(body.token)
        if token is None:
            return refuse(422, "unknown_token")
        behaviour: BehaviourSettings = g.behaviour
        silent = token.silent or random.random() < behaviour.silent_rate
        if random.random() < behaviour.decline_rate:
            token = TokenBehaviour(status=402)
        first_time = False

        def charge(connection: sqlite3.Connection, key: str) -> RecordedAnswer:
            nonlocal first_time
            first_time = True
            if token.status == 500:
                return RecordedAnswer(500, error_body("processing_error"))
            status = "succeeded" if token.status == 201 else "declined"
            entry = write_charge(connection, key, status=status, **body.model_dump(exclude={"token"}))
            webhook_outbox.enqueue(connection, behaviour, f"charge.{status}", entry)
            return RecordedAnswer(
                token.status, entry if status == "succeeded" else {**error_body("card_declined"), **entry}
            )

        response = self._execute_once("charge", charge, token.delay_s)
        if silent and first_time and response.status_code == 201:
            time.sleep(self._silence_s)  # the card is charged and the key is free; only the response is late
        return response

    def find(self) -> Response:
        """Return one charge by its key, or a page of charges."""
        page = ChargeQuery.model_validate(request.args.to_dict())
        if page.key is not None:
            return jsonify(items=self._ledger.charges_with_key(page.key))
        return jsonify(items=self._ledger.charges_after(page.after, page.limit))

    def refund(self) -> Response:
        """Refund a charge, at most its remainder."""
        body = RefundRequest.model_validate(request.get_json(silent=True))
        behaviour: BehaviourSettings = g.behaviour

        def refund(connection: sqlite3.Connection, key: str) -> RecordedAnswer:
            is_refused = random.random() < behaviour.refund_refusal_rate
            entry = None if is_refused else write_refund(connection, body.charge, body.amount)
            if entry is None:
                raise NotRefundable
            webhook_outbox.enqueue(connection, behaviour, "charge.refunded", find_charge(connection, body.charge))
            return RecordedAnswer(201, entry)

        return self._execute_once("refund", refund)

    def _execute_once(
        self, operation: str, work: Callable[[sqlite3.Connection, str], RecordedAnswer], delay_s: float = 0.0
    ) -> Response:
        """Do ``work`` once per key; a repeated call gets the stored response."""
        key = request.headers.get(KEY_HEADER, "")
        if not 0 < len(key) <= MAX_KEY_LENGTH:
            return refuse(400, "key_missing")
        canonical = json.dumps(request.get_json(), sort_keys=True, separators=(",", ":"))
        call = LedgerRequest(operation, key, hashlib.sha256(canonical.encode()).hexdigest())
        with self._in_flight.hold(operation, key) as is_free:
            if not is_free:
                return refuse(409, "in_flight")
            answer = self._ledger.recorded_answer(call)
            if answer is None:
                time.sleep(delay_s)
                deadlines.check()  # the caller has stopped waiting: do not do the work
                answer = self._ledger.execute_once(call, lambda connection: work(connection, key))
        return respond(answer.status, answer.body)
