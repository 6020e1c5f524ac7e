"""One delivery: handled, to be tried again, or dead; each of the three is committed before it is acknowledged.

Dead is what was tried often enough, and at once what a consumer says cannot be helped by trying again.

The broker's own retries are not used. They would put the next attempt into the broker after the work has failed, and a
broker that is away at that moment loses it; a row in the outbox is committed or the delivery is not acknowledged.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
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
from shop.patterns.queue.dead_letters import CRASHES, CrashCounter, forget, put_off
from shop.patterns.queue.failures import NoConsumer, PermanentFailure
from shop.patterns.queue.models import DeadLetter
from shop.storable import storable

NOTING_PAUSE_S = 1.0
BACKOFF = ExponentialBackoff(base_s=1.0, cap_s=300.0)

Handler = Callable[[QueueMessage], None]
Observe = Callable[[str, str, float], None]
"""Told of each delivery: consumer, outcome (``handled``, ``retried``, ``dead``), seconds since it was written."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a consumer tries a message, and how far apart.

    Args:
        attempts: in all; then the message is a dead letter.
        backoff: the pauses between them; each is drawn with full jitter.
    """

    attempts: int = 8
    backoff: ExponentialBackoff = BACKOFF


class MessageDispatcher:
    """What the queue's workers call.

    Args:
        database: where failures are written down.
        handlers: consumer to what it does.
        retry: how often a message is tried.
        observe: told of each delivery.
        crashes: processes a message may take with it.
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

    def deliver(self, consumer: str, travelled: Mapping[str, Any]) -> None:
        """Let a consumer handle a message; return once what came of it is committed.

        A consumer that raises :class:`PermanentFailure` is not asked again.
        """
        message = QueueMessage.from_json(travelled)
        correlation.adopt(message.request_id, message.traceparent)
        try:
            self._begin(consumer, message)
            self._handlers[consumer](message)
        except Exception as error:  # noqa: BLE001 - whatever a consumer raises, the message must not be lost
            outcome = self._note(consumer, message, error)
        else:
            outcome = self._end(consumer, message)
        self._observe(consumer, outcome, _age_s(message))

    def note_unroutable(self, message: QueueMessage) -> None:
        """Write down that a message could not be handed to any consumer.

        It is tried again like one whose consumer fails: during a deploy the release that takes it may come later.

        Raises:
            ServiceUnavailable: it could not be written down.
        """
        consumer = message.consumer or ""
        error = NoConsumer(f"no consumer {consumer}" if consumer else f"no consumer takes the topic {message.topic}")
        dead, reason = self._is_dead(message, error), _reason(error)
        _log_failure(consumer, message, reason, dead=dead)
        self._database.run_in_transaction(
            lambda session: self._write_down(session, consumer, message, reason, dead=dead)
        )
        self._observe(consumer or "none", "dead" if dead else "retried", _age_s(message))

    def _begin(self, consumer: str, message: QueueMessage) -> None:
        while True:
            try:
                return self._counter.begin(consumer, message.message_id)
            except (ServiceUnavailable, DBAPIError) as refusal:  # to fail at it would cost it one of its tries
                _log.warning("delivery_not_begun", extra=_details(consumer, message) | {"refusal": str(refusal)})
                time.sleep(NOTING_PAUSE_S)

    def _end(self, consumer: str, message: QueueMessage) -> str:
        details = _details(consumer, message) | {"topic": message.topic, "age_s": round(_age_s(message), 3)}
        _log.info("message_handled", extra=details)
        with suppress(
            ServiceUnavailable, DBAPIError
        ):  # its work is committed; a row left behind is forgotten in a week
            self._counter.end(consumer, message.message_id)
        return "handled"

    def _is_dead(self, message: QueueMessage, error: Exception) -> bool:
        return message.attempts + 1 >= self._retry.attempts or isinstance(error, PermanentFailure)

    def _note(self, consumer: str, message: QueueMessage, error: Exception) -> str:
        """Write a failure down, however long the database cannot take it: until then the message is the broker's.

        It is away, or takes no changes, or lacks a table or a right: nothing that giving the message up would mend.

        A process that ends meanwhile takes this thread with it, and the message is delivered again.
        """
        reason = _reason(error)
        dead = self._is_dead(message, error)
        details = _log_failure(consumer, message, reason, dead=dead)
        while True:
            try:
                self._database.run_in_transaction(
                    lambda session: self._write_down(session, consumer, message, reason, dead=dead)
                )
            except (ServiceUnavailable, DBAPIError) as refusal:
                _log.warning("failure_not_noted", extra=details | {"refusal": type(refusal).__name__})
                time.sleep(NOTING_PAUSE_S)
            else:
                return "dead" if dead else "retried"

    def _write_down(self, session: Session, consumer: str, message: QueueMessage, reason: str, *, dead: bool) -> None:
        kept = _kept(message) | {"attempts": message.attempts + 1}
        if dead:
            forget(session, consumer, message.message_id)
            letter = upsert(DeadLetter).values(**kept, consumer=consumer, error=reason)
            session.execute(letter.on_conflict_do_nothing())
        else:
            put_off(session, consumer, message.message_id)
            pause = timedelta(seconds=self._retry.backoff.full_jitter_s(message.attempts + 1))
            due = func.clock_timestamp() + pause
            session.execute(insert(OutboxMessage).values(**kept, consumer=consumer or None, due_at=due))


def dead_letters(session: Session, limit: int) -> list[DeadLetter]:
    """Return what was given up on, the newest first."""
    return list(session.scalars(select(DeadLetter).order_by(DeadLetter.id.desc()).limit(limit)))


def dead_count(session: Session) -> int:
    """Return how many dead letters there are."""
    return session.scalar(select(func.count()).select_from(DeadLetter)) or 0


def requeue(session: Session, letter_id: int) -> DeadLetter:
    """Give a dead letter another chance, for the consumer that gave up on it alone, with all its attempts before it.

    Raises:
        NotFound: there is no such dead letter.
    """
    letter: DeadLetter | None = session.scalar(
        delete(DeadLetter).where(DeadLetter.id == letter_id).returning(DeadLetter)
    )
    if letter is None:
        raise NotFound(f"There is no dead letter {letter_id}; `shop queue dead` lists them.")
    session.execute(insert(OutboxMessage).values(**_kept(letter), consumer=letter.consumer or None))
    return letter


def _reason(error: Exception) -> str:
    return storable(f"{type(error).__name__}: {error}")  # or it could not be noted, and the message were lost


def _age_s(message: QueueMessage) -> float:
    """Return the seconds since the message was written."""
    return time.time() - message.created_at.timestamp()


def _details(consumer: str, message: QueueMessage) -> dict[str, Any]:
    return {"consumer": consumer, "message_id": str(message.message_id), "attempts": message.attempts + 1}


def _log_failure(consumer: str, message: QueueMessage, reason: str, *, dead: bool) -> dict[str, Any]:
    """Write the line of a failure; return what it says."""
    details = _details(consumer, message) | {"reason": reason}
    _log.log(logging.ERROR if dead else logging.INFO, "message_dead" if dead else "message_failed", extra=details)
    return details


def _kept(found: QueueMessage | DeadLetter) -> dict[str, Any]:
    names = ("message_id", "aggregate", "aggregate_id", "topic", "payload", "request_id", "traceparent", "created_at")
    return {name: getattr(found, name) for name in names}
