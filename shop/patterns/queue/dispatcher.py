"""The message dispatcher: a delivery is handled, retried or dead; the outcome is committed before the acknowledgement.

A message is dead after its last attempt, or at once if its consumer raises :class:`PermanentFailure`.

The broker's own retries are not used. They would publish the next attempt to the broker after the failure, and a broker
that is down at that time loses it. Here the retry is a row in the outbox; without its commit the delivery is not
acknowledged, and the broker delivers the message again.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shop.backoff import ExponentialBackoff
from shop.database.transactions import Database
from shop.errors import NotFound, ServiceUnavailable
from shop.patterns.observability import correlation
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.queue.failures import NoConsumer, PermanentFailure
from shop.patterns.queue.models import DeadLetter
from shop.patterns.queue.poison_messages import CRASHES, CrashCounter, clear_holder, delete_record
from shop.storable_text import storable

DATABASE_RETRY_S = 1.0
"""Seconds between two attempts to record a delivery while the database is down."""
BACKOFF = ExponentialBackoff(base_s=1.0, cap_s=300.0)

Handler = Callable[[QueueMessage], None]
Observe = Callable[[str, str, float], None]
"""Receives each delivery: consumer, outcome (``handled``, ``retried``, ``dead``), seconds since it was written."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The number of attempts for a message, and the pauses between them.

    Args:
        attempts: number of attempts after which the message is a dead letter.
        backoff: the pauses between the attempts; each is drawn with full jitter.
    """

    attempts: int = 8
    backoff: ExponentialBackoff = BACKOFF


class MessageDispatcher:
    """Passes each delivery to its consumer, and records the outcome.

    Args:
        database: stores retries, dead letters and crashes.
        handlers: consumer to its function.
        retry: the number of attempts and the pauses.
        observe: receives each delivery.
        crashes: number of crashes after which a message is a dead letter.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        retry: RetryPolicy,
        observe: Observe = lambda consumer, outcome, seconds: None,
        crashes: int = CRASHES,
    ) -> None:
        self._database = database
        self._handlers = handlers
        self._retry = retry
        self._observe = observe
        self._counter = CrashCounter(database, crashes)

    def deliver(self, consumer: str, body: Mapping[str, Any]) -> None:
        """Let a consumer handle a message; return when the outcome is committed.

        Args:
            consumer: its name.
            body: the message, as :meth:`QueueMessage.to_json` returned it.
        """
        message = QueueMessage.from_json(body)
        correlation.adopt(message.request_id, message.traceparent)
        try:
            self._record_begin(consumer, message)
            self._handlers[consumer](message)
        except Exception as error:  # noqa: BLE001 - after any error of a consumer, the message must not be lost
            outcome = self._record_failure(consumer, message, error)
        else:
            details = _details(consumer, message) | {"topic": message.topic, "age_s": round(_age_s(message), 3)}
            _log.info("message_handled", extra=details)
            self._counter.end(consumer, message.message_id)
            outcome = "handled"
        self._observe(consumer, outcome, _age_s(message))

    def record_unroutable(self, message: QueueMessage) -> None:
        """Record the failure of a message for which there is no consumer.

        The message is retried as after a failure: during a deployment, a later release may have its consumer.

        Raises:
            ServiceUnavailable: the database cannot store the failure.
        """
        consumer = message.consumer or ""
        error = NoConsumer(f"no consumer {consumer}" if consumer else f"no consumer takes the topic {message.topic}")
        dead, reason = self._is_dead(message, error), _reason(error)
        _log_failure(consumer, message, reason, dead=dead)
        self._database.run_in_transaction(
            lambda session: self._store_failure(session, consumer, message, reason, dead=dead)
        )
        self._observe(consumer or "none", "dead" if dead else "retried", _age_s(message))

    def _record_begin(self, consumer: str, message: QueueMessage) -> None:
        """Record the begin of a delivery; wait for the database, since a failure would cost the message an attempt."""
        while True:
            try:
                return self._counter.begin(consumer, message.message_id)
            except (ServiceUnavailable, DBAPIError) as refusal:
                _log.warning("delivery_not_begun", extra=_details(consumer, message) | {"refusal": str(refusal)})
                time.sleep(DATABASE_RETRY_S)

    def _is_dead(self, message: QueueMessage, error: Exception) -> bool:
        return message.attempts + 1 >= self._retry.attempts or isinstance(error, PermanentFailure)

    def _record_failure(self, consumer: str, message: QueueMessage, error: Exception) -> str:
        """Store a failure, and wait as long as the database cannot store it; return the outcome.

        The database may be down or read-only, or lack a table or a right. Until the commit the broker has the message;
        if the process ends meanwhile, the broker delivers it again.
        """
        reason = _reason(error)
        dead = self._is_dead(message, error)
        details = _log_failure(consumer, message, reason, dead=dead)
        while True:
            try:
                self._database.run_in_transaction(
                    lambda session: self._store_failure(session, consumer, message, reason, dead=dead)
                )
            except (ServiceUnavailable, DBAPIError) as refusal:
                _log.warning("failure_not_noted", extra=details | {"refusal": type(refusal).__name__})
                time.sleep(DATABASE_RETRY_S)
            else:
                return "dead" if dead else "retried"

    def _store_failure(
        self, session: Session, consumer: str, message: QueueMessage, reason: str, *, dead: bool
    ) -> None:
        """Store the message as a dead letter, or in the outbox to be retried later."""
        columns = _message_columns(message) | {"attempts": message.attempts + 1}
        if dead:
            delete_record(session, consumer, message.message_id)
            letter = upsert(DeadLetter).values(**columns, consumer=consumer, error=reason)
            session.execute(letter.on_conflict_do_nothing())
        else:
            clear_holder(session, consumer, message.message_id)
            pause = timedelta(seconds=self._retry.backoff.full_jitter_s(message.attempts + 1))
            due = func.clock_timestamp() + pause
            session.execute(insert(OutboxMessage).values(**columns, consumer=consumer or None, due_at=due))


def list_dead_letters(session: Session, limit: int) -> list[DeadLetter]:
    """Return the latest dead letters, newest first."""
    return list(session.scalars(select(DeadLetter).order_by(DeadLetter.id.desc()).limit(limit)))


def count_dead_letters(session: Session) -> int:
    """Return the number of dead letters."""
    return session.scalar(select(func.count()).select_from(DeadLetter)) or 0


def requeue(session: Session, letter_id: int) -> DeadLetter:
    """Put a dead letter back into the outbox, for its consumer alone, with all attempts left.

    Raises:
        NotFound: there is no such dead letter.
    """
    letter: DeadLetter | None = session.scalar(
        delete(DeadLetter).where(DeadLetter.id == letter_id).returning(DeadLetter)
    )
    if letter is None:
        raise NotFound(f"There is no dead letter {letter_id}; `bin/shop queue dead` lists them.")
    session.execute(insert(OutboxMessage).values(**_message_columns(letter), consumer=letter.consumer or None))
    return letter


def _reason(error: Exception) -> str:
    return storable(f"{type(error).__name__}: {error}")  # else PostgreSQL could refuse the text


def _age_s(message: QueueMessage) -> float:
    """Return the seconds since the message was written."""
    return time.time() - message.created_at.timestamp()


def _details(consumer: str, message: QueueMessage) -> dict[str, Any]:
    return {"consumer": consumer, "message_id": str(message.message_id), "attempts": message.attempts + 1}


def _log_failure(consumer: str, message: QueueMessage, reason: str, *, dead: bool) -> dict[str, Any]:
    """Log a failure; return the fields of the log line."""
    details = _details(consumer, message) | {"reason": reason}
    _log.log(logging.ERROR if dead else logging.INFO, "message_dead" if dead else "message_failed", extra=details)
    return details


def _message_columns(message: QueueMessage | DeadLetter) -> dict[str, Any]:
    names = ("message_id", "aggregate", "aggregate_id", "topic", "payload", "request_id", "traceparent", "created_at")
    return {name: getattr(message, name) for name in names}
