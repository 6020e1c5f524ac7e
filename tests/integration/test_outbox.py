"""The outbox and its relay, on a real PostgreSQL; the broker only collects the messages."""

import multiprocessing
import os
import random
import threading
import time
from collections import defaultdict
from contextlib import suppress

import pytest
from sqlalchemy import select, text

from shop.database.engine import build_engine
from shop.database.transactions import Database, ExternalCallInTransaction
from shop.patterns.observability import correlation
from shop.patterns.outbox import relay as relaying
from shop.patterns.outbox.messages import QueueMessage, enqueue
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.outbox.relay import BrokerUnavailable, OutboxRelay, backlog
from tests.support.polling import until

_processes = multiprocessing.get_context("forkserver")
PLENTY = 1_000_000


def tell(database, aggregate_id, *topics):
    for topic in topics:
        with database.transaction() as session:
            enqueue(session, "order", aggregate_id, topic)


def waiting(database):
    with database.reading() as session:
        return [
            (row.aggregate_id, row.topic) for row in session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))
        ]


class Taken:
    """A broker that collects messages, and fails on request."""

    def __init__(self, room=PLENTY):
        self.messages: list[QueueMessage] = []
        self.space = room
        self.fails_after = PLENTY
        self.is_down = False

    def publish(self, message):
        if len(self.messages) >= self.fails_after:
            raise BrokerUnavailable
        self.messages.append(message)

    def room(self):
        if self.is_down:
            raise BrokerUnavailable
        return self.space - len(self.messages)

    @property
    def topics(self):
        return [message.topic for message in self.messages]


def relay(database, taken):
    return OutboxRelay(database, taken.publish, taken.room)


def test_a_message_commits_only_with_its_change(database):
    def change_and_fail():
        with database.transaction() as session:
            enqueue(session, "order", "a", "undone")
            raise LookupError

    with pytest.raises(LookupError):
        change_and_fail()
    tell(database, "a", "done")
    assert waiting(database) == [("a", "done")]


def test_a_message_carries_the_ids_of_its_request(database):
    correlation.adopt("the-very-request", None)
    tell(database, "a", "paid")
    taken = Taken()
    relay(database, taken).run_once()
    assert taken.messages[0].request_id == "the-very-request"
    assert QueueMessage.from_json(taken.messages[0].to_json()) == taken.messages[0]


def test_a_relayed_message_is_deleted(database):
    tell(database, "a", "paid", "shipped")
    taken = Taken()
    assert relay(database, taken).run_once() == 2
    assert relay(database, taken).run_once() == 0
    assert taken.topics == ["paid", "shipped"]
    assert waiting(database) == []


def test_a_lower_id_that_is_committed_later_is_not_missed(database):
    taken = Taken()
    with database.engine.connect() as slow:
        slow.execute(
            text("INSERT INTO outbox (aggregate, aggregate_id, topic, payload) VALUES ('order', 'a', 'x', '{}')")
        )
        tell(database, "b", "y")
        relay(database, taken).run_once()
        assert taken.topics == ["y"]
        slow.commit()
    relay(database, taken).run_once()
    assert taken.topics == ["y", "x"]


def test_messages_wait_for_the_broker_and_keep_their_order(database):
    tell(database, "a", "1", "2")
    tell(database, "b", "1")
    taken = Taken()
    taken.fails_after = 1
    with pytest.raises(BrokerUnavailable):
        relay(database, taken).run_once()
    assert waiting(database) == [("a", "2"), ("b", "1")]
    taken.fails_after = PLENTY
    assert relay(database, taken).run_once() == 2


def test_a_full_queue_is_not_filled_further(database):
    for order in "abcd":
        tell(database, order, "paid")
    taken = Taken(room=3)
    assert relay(database, taken).run_once() == 3
    assert relay(database, taken).run_once() == 0
    assert waiting(database) == [("d", "paid")]
    taken.space = 4
    assert relay(database, taken).run_once() == 1


@pytest.mark.parametrize("blocked_by", ["a full queue", "a broker that is down"])
def test_blocked_relay_leaves_the_rows_untouched(database, blocked_by):
    tell(database, "a", "1")
    taken = Taken(room=0)
    taken.is_down = blocked_by == "a broker that is down"
    one = relay(database, taken)

    def rounds(count):
        for _ in range(count):
            with suppress(BrokerUnavailable):
                one.run_once()
        with database.reading() as session:
            return session.scalar(text("SELECT xmin::text FROM outbox"))

    assert rounds(1) == rounds(3)
    taken.space, taken.is_down = 1, False
    assert one.run_once() == 1


def test_a_message_waits_for_the_earlier_one_of_its_aggregate(database):
    tell(database, "a", "1")
    held, go_on = threading.Event(), threading.Event()
    first, second = Taken(), Taken()

    def stall(message):
        held.set()
        go_on.wait(10)
        first.publish(message)

    slow = threading.Thread(target=OutboxRelay(database, stall, first.room).run_once)
    slow.start()
    held.wait(10)
    tell(database, "a", "2")
    tell(database, "b", "1")
    relay(database, second).run_once()
    assert [(one.aggregate_id, one.topic) for one in second.messages] == [("b", "1")]
    go_on.set()
    slow.join(10)
    assert first.topics == ["1", "2"]


def test_messages_of_a_dead_relay_are_taken_by_another(database):
    tell(database, "a", "paid")
    with database.transaction() as session:
        session.execute(text("UPDATE outbox SET claimed_until = clock_timestamp() + interval '10 seconds'"))
    taken = Taken()
    assert relay(database, taken).run_once() == 0
    with database.transaction() as session:
        session.execute(text("UPDATE outbox SET claimed_until = clock_timestamp() - interval '1 second'"))
    assert relay(database, taken).run_once() == 1


def test_concurrent_relays_keep_each_aggregate_in_order_and_lose_nothing(database, settings):
    for turn in range(6):
        for order in "abcdefgh":
            tell(database, order, str(turn))
    log, barrier = _processes.SimpleQueue(), _processes.Barrier(3)  # a Queue's thread may put things down late
    relays = [_processes.Process(target=_relay, args=(settings, log, barrier)) for _ in range(3)]
    for one in relays:
        one.start()
    found = defaultdict(list)
    for _ in range(48):
        until(lambda: not log.empty(), timeout_s=30)
        order, topic = log.get()
        found[order].append(topic)
    for one in relays:
        one.join(30)
    assert log.empty()
    assert dict(found) == {order: [str(turn) for turn in range(6)] for order in "abcdefgh"}


def _relay(settings, log, barrier):
    relaying.BATCH = 3  # so that each gets some, and none gets all of an aggregate
    database = Database(build_engine(settings))
    pauses = random.Random(os.getpid())

    def publish(message):
        time.sleep(pauses.choice((0, 0, 0.02)))  # so that others get ahead where nothing holds them back
        log.put((message.aggregate_id, message.topic))

    one = OutboxRelay(database, publish, lambda: PLENTY)
    barrier.wait(30)
    while one.run_once() or _still(database):
        pass


def _still(database):
    with database.reading() as session:
        return backlog(session).waiting


def test_the_broker_is_not_called_inside_a_transaction(database):
    tell(database, "a", "paid")
    with database.enclosing(), pytest.raises(ExternalCallInTransaction):
        relay(database, Taken()).run_once()


def test_the_backlog_has_size_and_age(database):
    with database.reading() as session:
        assert backlog(session).waiting == 0
    tell(database, "a", "paid")
    with database.transaction() as session:
        session.execute(text("UPDATE outbox SET due_at = due_at - interval '90 seconds'"))
    with database.reading() as session:
        assert backlog(session).waiting == 1
        assert 90 <= backlog(session).oldest_s < 100
