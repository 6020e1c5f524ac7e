"""Checks of the exercise ``outbox-relay``: no message is lost, and the order of each aggregate holds.

The check is the broker. So it decides what happens while a message is published: a second relay runs, a transaction
commits, or the broker refuses.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten
from shop.exercises.graders.concurrent_calls import ConcurrentCall, ProcessDied, WatchedDatabase
from shop.exercises.verdict import AttemptFailed

CREATE = """CREATE TABLE outbox (
    id bigint PRIMARY KEY, message_id uuid NOT NULL DEFAULT gen_random_uuid(), aggregate text NOT NULL,
    aggregate_id text NOT NULL, topic text NOT NULL, consumer text, payload jsonb NOT NULL DEFAULT '{}',
    attempts integer NOT NULL DEFAULT 0, request_id text NOT NULL DEFAULT '', traceparent text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(), due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until timestamptz)"""
"""The columns of the store's table. The check gives the ids, in the order in which it writes the messages."""
INSERT = text("""
INSERT INTO outbox (id, aggregate, aggregate_id, topic, due_at)
VALUES (:id, 'order', :order, :topic, clock_timestamp() + :delay * interval '1 hour')
""")
COLUMNS = ("message_id", "aggregate", "aggregate_id", "topic", "payload", "created_at", "attempts", "consumer")
"""Columns of a row that the broker needs."""
MAX_CALLS = 12
CALL = "relay_outbox(database, publish)"
_ids = itertools.count(1)
Relay = Callable[..., Any]


class BrokerDown(Exception):
    """The broker has not confirmed a message."""


@dataclass
class CheckedOutbox:
    """An outbox, and the broker to which its messages go.

    Args:
        calls: the means to call the attempt.
        database: of the check.
        relay: the attempt's.
    """

    calls: AttemptCalls
    database: WatchedDatabase
    relay: Relay
    published: list[str] = field(default_factory=list)
    """The messages that the broker has confirmed, by name, in their order."""

    def write(self, *names: str, session: Session | None = None, delay: int = 0) -> None:
        """Write messages.

        Args:
            names: order and topic of each: ``A placed``.
            session: of an open transaction; its own by default.
            delay: hours until they are due.
        """
        for name in names:
            order, topic = name.split()
            values = {"id": next(_ids), "order": order, "topic": topic, "delay": delay}
            if session is not None:
                session.execute(INSERT, values)
            else:
                self.database.execute(str(INSERT), **values)

    def waiting(self) -> list[str]:
        """Return the names of the committed messages."""
        rows = self.database.execute("SELECT aggregate_id, topic FROM outbox ORDER BY id")
        return [f"{order} {topic}" for order, topic in rows]

    def has_claims(self) -> bool:
        """Return whether a row has ``claimed_until`` set, to a time that is not over."""
        return bool(self.database.execute("SELECT id FROM outbox WHERE claimed_until > clock_timestamp()"))

    def publish(self, message: Any) -> None:
        """Confirm a message."""
        self.published.append(self.name_of(message))

    def name_of(self, message: Any) -> str:
        """Return the name of a message that the attempt publishes."""
        missing = [name for name in COLUMNS if not hasattr(message, name)]
        if missing:
            came = f"publish({shorten(repr(message))}), which has no {missing[0]}."
            look = "Select every column of the table, and give the row itself to publish()."
            self.calls.fail(CALL, "publish(row) with a row of the table outbox.", came, look)
        return f"{message.aggregate_id} {message.topic}"

    def run(self, publish: Callable[[Any], None], did: str) -> int | None:
        """Run the relay once; return the number that it returned, ``None`` if the broker's error left it."""
        failures: list[AttemptFailed] = []

        def publish_unless_failed(message: Any) -> None:
            try:
                publish(message)
            except AttemptFailed as failure:
                failures.append(failure)
                raise ProcessDied from None  # an `except Exception` of the attempt must not hide the failure

        def relay_once() -> Any:
            try:
                return self.relay(self.database, publish_unless_failed)
            except BrokerDown:
                return BrokerDown

        with suppress(ProcessDied):
            count = self.calls.call(did, relay_once)
        if failures:
            raise failures[0]
        if count is BrokerDown:
            return None
        if isinstance(count, bool) or not isinstance(count, int):
            self.calls.fail(did, "the number of published messages.", f"{shorten(repr(count))}.", "Return a number.")
        return int(count)

    def drain(self, did: str) -> int:
        """Run the relay until it publishes nothing more; return the number of messages."""
        return self.repeat(lambda: self.run(self.publish, did), did)

    def repeat(self, run: Callable[[], int | None], did: str) -> int:
        """Repeat a call of the relay until it returns 0; return the number of messages."""
        counts: list[int] = []
        while len(counts) < MAX_CALLS and 0 not in counts:
            counts.append(run() or 0)
        if 0 not in counts:
            came = f"{MAX_CALLS} calls returned more than 0; published {_names(self.published)}."
            self.calls.fail(did, "at last a call that returns 0.", came, "Delete a message after its publication.")
        return sum(counts)

    def require_published(self, did: str, expected: tuple[str, ...], look: str, *, once: bool = True) -> None:
        """Require that these messages were published, each order's in their order, and that none of them is left."""
        first = list(dict.fromkeys(self.published))
        in_order = all(
            [name for name in first if name[0] == order] == [name for name in expected if name[0] == order]
            for order in {name[0] for name in expected}
        )
        is_complete = sorted(first) == sorted(expected) and (not once or len(self.published) == len(first))
        left = [name for name in self.waiting() if name in expected]
        if not (in_order and is_complete) or left:
            often = "each once" if once else "each at least once"
            wanted = f"published, {often}, in the order of each letter: {_names(expected)}; and deleted."
            came = f"published {_names(self.published)}; still in the table: {_names(left)}."
            self.calls.fail(did, wanted, came, look)


def check_publishes(relay: Relay, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the due messages are published, counted, and deleted."""
    with _outbox(relay, calls) as outbox:
        outbox.write("A placed", "B placed", "A paid")
        outbox.write("C placed", delay=1)
        did = f"A placed, B placed, A paid are due, C placed in an hour; {CALL} until it returns 0"
        count = outbox.drain(did)
        expected = ("A placed", "B placed", "A paid")
        outbox.require_published(did, expected, "Publish the due rows by their id, and delete each afterwards.")
        if count != len(expected):
            calls.fail(did, "the calls return 3 in all.", f"{count}.", "Return how many messages this call published.")


def check_late_commit(relay: Relay, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a message whose lower id is committed after a higher one was published."""
    with _outbox(relay, calls) as outbox:
        did = "A placed is written and not committed, B placed is committed; the relay runs. A commits; the relay runs"
        look = "An id is drawn before its commit. Ask for the rows that are there, not for ids above the last one."
        with Session(outbox.database.engine) as session:
            outbox.write("A placed", session=session)
            outbox.write("B placed")
            outbox.drain(did)
            session.commit()
        outbox.drain(did)
        outbox.require_published(did, ("A placed", "B placed"), look)


def check_deletes_after(relay: Relay, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a row is there until the broker has confirmed the message."""
    with _outbox(relay, calls) as outbox:
        outbox.write("A placed", "B placed")

        def publish(message: Any) -> None:
            name = outbox.name_of(message)
            if name not in outbox.waiting():
                expected = "the row is in the table until publish() has returned."
                came = f"publish({name}) is called, and the row is deleted already."
                look = "If the process dies in publish(), this message is lost. Publish first, then delete."
                calls.fail(CALL, expected, came, look)
            outbox.published.append(name)

        outbox.run(publish, CALL)


def check_publish_fails(relay: Relay, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that nothing is lost, and no order changes, if the broker refuses a message."""
    with _outbox(relay, calls) as outbox:
        outbox.write("A placed", "A paid", "B placed")
        refused: list[str] = []

        def publish(message: Any) -> None:
            name = outbox.name_of(message)
            if name == "A placed" and not refused:
                refused.append(name)
                raise BrokerDown
            outbox.published.append(name)

        did = "publish(A placed) raises BrokerDown once; then the relay runs until it returns 0"
        count = outbox.run(publish, did)
        confirmed = tuple(outbox.published)
        if count == 0:
            came = f"the first call returned 0; in the table: {_names(outbox.waiting())}."
            look = "After 0, the store waits for new messages. Let the error of publish() leave the function."
            calls.fail(did, "0 only if nothing may be published that another relay does not have.", came, look)
        look = "What was not published stays, and the next call publishes it. No message of A passes an earlier one."
        if outbox.has_claims():
            look = "A row has claimed_until set, so the next call passes over it. End the claim when publish() raises."
        outbox.drain(did)
        outbox.require_published(did, ("A placed", "A paid", "B placed"), look, once=False)
        if count not in (None, len(confirmed)):
            came = f"the first call returned {count}; in it, the broker confirmed {_names(confirmed)}."
            look = "Count a message after publish() has returned, not when it is selected."
            calls.fail(did, "the first call raises, or returns how many messages it published.", came, look)


def check_two_relays(relay: Relay, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a second relay that runs while the first one publishes, until it finds nothing more."""
    did = (
        "while the first relay is in publish(A placed), A paid and C placed are committed, and a second relay is called"
        " until it returns 0"
    )
    by_second: list[str] = []
    with _outbox(relay, calls) as outbox:
        outbox.write("A placed", "B placed")
        began: list[bool] = []

        def publish_second(message: Any) -> None:
            by_second.append(outbox.name_of(message))
            outbox.published.append(by_second[-1])

        def run_second() -> int | None:
            second = ConcurrentCall(outbox.database, lambda: outbox.run(publish_second, did))
            if not second.settle():
                came = "the second relay waits for a lock of the first."
                look = "A broker that hangs would stop every relay. Skip the rows that another relay has locked."
                calls.fail(did, "the second relay does not wait.", came, look)
            count: int | None = second.result()
            return count

        def publish_first(message: Any) -> None:
            if not began:
                began.append(True)
                outbox.write("A paid", "C placed")
                outbox.repeat(run_second, did)
            outbox.published.append(outbox.name_of(message))

        outbox.run(publish_first, did)
        if not by_second:
            look = "A second relay must help: it publishes what the first one does not have."
            calls.fail(did, "the second relay publishes C placed.", "it published nothing.", look)
        outbox.drain(did)
        look = (
            "Lock the rows while they are published, so that another relay does not find them."
            if len(set(outbox.published)) < len(outbox.published)
            else "SKIP LOCKED passes over the locked row of A placed, and finds A paid. Take a message only if its"
            " order has no earlier one in the table."
        )
        outbox.require_published(did, ("A placed", "A paid", "B placed", "C placed"), look)


def check_first_not_due(relay: Relay, calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a due message waits for an earlier one of its aggregate that is not due yet."""
    with _outbox(relay, calls) as outbox:
        outbox.write("A placed", delay=1)
        outbox.write("A paid", "B placed")
        did = f"A placed is due in an hour, A paid and B placed are due; {CALL} until it returns 0"
        outbox.drain(did)
        if outbox.published != ["B placed"]:
            look = "Only the first waiting message of an aggregate may be published, whether it is due or not."
            calls.fail(did, "published B placed.", f"published {_names(outbox.published)}.", look)
        outbox.database.execute("UPDATE outbox SET due_at = clock_timestamp()")
        did = f"{did}. Then A placed becomes due; the same once more"
        outbox.drain(did)
        look = "A placed is due now, and A paid after it."
        outbox.require_published(did, ("A placed", "A paid", "B placed"), look)


@contextmanager
def _outbox(relay: Relay, calls: AttemptCalls) -> Iterator[CheckedOutbox]:
    database = WatchedDatabase(calls.servers.database())
    try:
        database.execute(CREATE)
        yield CheckedOutbox(calls, database, relay)
    finally:
        database.close()


def _names(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"


CHECKS: Mapping[str, Callable[[Relay, AttemptCalls, CheckRule], None]] = {
    "publishes": check_publishes,
    "late-commit": check_late_commit,
    "deletes-after": check_deletes_after,
    "publish-fails": check_publish_fails,
    "two-relays": check_two_relays,
    "first-not-due": check_first_not_due,
}
