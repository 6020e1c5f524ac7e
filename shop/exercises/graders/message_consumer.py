"""Checks of the exercise ``deduplicating-consumer``: a message that is delivered twice has one effect.

The work of the check adds loyalty points to an account, so the number of rows tells how often it was done.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten
from shop.exercises.graders.concurrent_calls import ConcurrentCall, ProcessDied, WatchedDatabase

CREATE = (
    """CREATE TABLE handled_messages (
    consumer text NOT NULL, message_id uuid NOT NULL, handled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, message_id))""",
    "CREATE TABLE points (consumer text NOT NULL, message_id uuid NOT NULL)",
)
"""The table of handled messages has the columns of the store's."""
ADD_POINTS = text("INSERT INTO points (consumer, message_id) VALUES (:consumer, :message_id)")
FIRST, SECOND = uuid.UUID(int=0xA1), uuid.UUID(int=0xB2)
NAMES = {FIRST: "message-1", SECOND: "message-2"}
ProcessOnce = Callable[..., Any]


class WorkFailed(Exception):
    """The work of a message fails."""


@dataclass
class MessageDeliveries:
    """Delivers messages, and counts their effects.

    Args:
        calls: the means to call the attempt.
        database: of the check.
        process_once: the attempt's.
    """

    calls: AttemptCalls
    database: WatchedDatabase
    process_once: ProcessOnce

    def deliver(
        self, did: str, consumer: str = "points", message: uuid.UUID = FIRST, then: Callable[[], None] = lambda: None
    ) -> Any:
        """Deliver a message; return what the attempt returned, or ``WorkFailed`` if the work's error came through.

        Args:
            did: for messages.
            consumer: its name.
            message: the message's id.
            then: called at the end of the work, inside it.
        """

        def work(session: Session) -> None:
            session.execute(ADD_POINTS, {"consumer": consumer, "message_id": message})
            then()

        def process() -> Any:
            try:
                return self.process_once(self.database, consumer, message, work)
            except WorkFailed:
                return WorkFailed

        value = self.calls.call(did, process)
        if value is not WorkFailed and not isinstance(value, bool):
            look = "Return True if the work was done now, False if it was done before."
            self.calls.fail(did, "True or False.", f"{shorten(repr(value))}.", look)
        return value

    def effects(self, consumer: str = "points", message: uuid.UUID = FIRST) -> int:
        """Return how often the work of a message was done."""
        return self._count("points", consumer, message)

    def records(self, consumer: str = "points", message: uuid.UUID = FIRST) -> int:
        """Return how many rows of ``handled_messages`` a message has."""
        return self._count("handled_messages", consumer, message)

    def require(self, did: str, value: Any, expected: Any, *, effects: int, records: int, look: str) -> None:
        """Require a returned value, and the number of rows in both tables."""
        if value is not expected or (self.effects(), self.records()) != (effects, records):
            came = f"{_text(value)}; {_rows(self.effects(), self.records())}."
            self.calls.fail(did, f"{_text(expected)}; {_rows(effects, records)}.", came, look)

    def _count(self, table: str, consumer: str, message: uuid.UUID) -> int:
        where = "WHERE consumer = :consumer AND message_id = :message"
        select = f"SELECT count(*) FROM {table} {where}"  # noqa: S608 - one of two names above
        count: int = self.database.execute(select, consumer=consumer, message=message)[0][0]
        return count


def check_once(process_once: ProcessOnce, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the first delivery of a message, and two more."""
    with _consumers(process_once, calls) as consumers:
        look = "Write the row of handled_messages in the transaction of the work."
        did = "message-1 is delivered"
        consumers.require(did, consumers.deliver(did), True, effects=1, records=1, look=look)
        look = "The row of handled_messages tells that the message was handled: then do not call work()."
        for did in ("message-1 is delivered again", "message-1 is delivered a third time"):
            consumers.require(did, consumers.deliver(did), False, effects=1, records=1, look=look)


def check_other_consumer(process_once: ProcessOnce, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that another consumer, or another message, is not taken for a second delivery."""
    with _consumers(process_once, calls) as consumers:
        consumers.deliver("message-1 is delivered to the consumer points")
        for consumer, message in (("mail", FIRST), ("points", SECOND)):
            did = f"{NAMES[message]} is delivered to the consumer {consumer}; before, points has handled message-1"
            value = consumers.deliver(did, consumer, message)
            if value is not True or consumers.effects(consumer, message) != 1:
                look = "Each consumer handles each message: look for the row by both columns."
                came = f"{_text(value)}; the work was done {_times(consumers.effects(consumer, message))}."
                calls.fail(did, "True; the work was done once.", came, look)


def check_work_fails(process_once: ProcessOnce, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a failure of the work leaves nothing, and reaches the caller."""
    with _consumers(process_once, calls) as consumers:

        def fail() -> None:
            raise WorkFailed

        did = "message-1 is delivered; work() writes a row, then raises WorkFailed"
        value = consumers.deliver(did, then=fail)
        look = (
            "Whoever calls you must learn of the failure: otherwise the broker takes the message as handled."
            if value is not WorkFailed
            else "Row and work belong into one transaction: the error rolls both back."
        )
        consumers.require(did, value, WorkFailed, effects=0, records=0, look=look)
        did = "message-1 is delivered again, and work() succeeds"
        consumers.require(did, consumers.deliver(did), True, effects=1, records=1, look=look)


def check_crash(process_once: ProcessOnce, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the process may die after its first commit."""
    did = "message-1 is delivered; the process dies right after its first COMMIT. Then message-1 is delivered again"
    with _consumers(process_once, calls) as consumers:
        consumers.database.commits_left = 1
        with suppress(ProcessDied):
            consumers.deliver(did)
        consumers.database.commits_left = None
        after_crash = _rows(consumers.effects(), consumers.records())
        consumers.deliver(did)
        if (consumers.effects(), consumers.records()) != (1, 1):
            came = f"after the crash: {after_crash}. At the end: {_rows(consumers.effects(), consumers.records())}."
            look = "Between two transactions a process can die. Row and work need one COMMIT."
            calls.fail(did, f"at the end: {_rows(1, 1)}.", came, look)


def check_at_once(process_once: ProcessOnce, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a second delivery while the first one is handled."""
    did = "A handles message-1 and is in work(). B gets the same message. Then A ends"
    with _consumers(process_once, calls) as consumers:
        first, second = _overlap(consumers, did, lambda: None)
        look = "Write the row before the work: then the primary key lets B wait until A has committed."
        if first is not True:
            calls.fail(did, "A returns True.", f"A returned {_text(first)}.", look)
        consumers.require(f"{did}; B", second, False, effects=1, records=1, look=look)


def check_first_fails(process_once: ProcessOnce, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a second delivery that waits for a first one which fails."""
    did = "A handles message-1 and is in work(). B gets the same message. Then A's work raises"

    def fail() -> None:
        raise WorkFailed

    with _consumers(process_once, calls) as consumers:
        _, second = _overlap(consumers, did, fail)
        look = "While A is open, nobody knows whether it succeeds. Wait for A, and do the work if A has failed."
        consumers.require(f"{did}; B", second, True, effects=1, records=1, look=look)


def _overlap(consumers: MessageDeliveries, did: str, end: Callable[[], None]) -> tuple[Any, Any]:
    """Deliver a message while another delivery of it is at work; return both values."""
    second: list[ConcurrentCall] = []

    def meet() -> None:
        second.append(ConcurrentCall(consumers.database, lambda: consumers.deliver(f"{did}; B")))
        second[0].settle()
        end()

    first = consumers.deliver(f"{did}; A", then=meet)
    if not second:
        consumers.calls.fail(did, "A calls work(session).", "work() was not called.", "Call work() with the session.")
    if not second[0].has_returned:
        look = "It waits for a lock that no open transaction holds. A lock must end with its transaction."
        consumers.calls.fail(did, "B returns.", "B had not returned although A has ended.", look)
    return first, second[0].result()


@contextmanager
def _consumers(process_once: ProcessOnce, calls: AttemptCalls) -> Iterator[MessageDeliveries]:
    database = WatchedDatabase(calls.servers.database())
    try:
        for statement in CREATE:
            database.execute(statement)
        yield MessageDeliveries(calls, database, process_once)
    finally:
        database.close()


def _text(value: Any) -> str:
    return "WorkFailed raised" if value is WorkFailed else repr(value)


def _rows(effects: int, records: int) -> str:
    return f"the work was done {_times(effects)}, handled_messages has {records} row{'' if records == 1 else 's'} of it"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


CHECKS: Mapping[str, Callable[[ProcessOnce, AttemptCalls, CheckRule], None]] = {
    "once": check_once,
    "other-consumer": check_other_consumer,
    "work-fails": check_work_fails,
    "crash": check_crash,
    "at-once": check_at_once,
    "first-fails": check_first_fails,
}
