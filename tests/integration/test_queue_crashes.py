"""Deliveries after a worker crashed with the message, and messages without a consumer."""

import json
import logging
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from shop import queue_wiring
from shop.patterns.outbox.messages import QueueMessage, enqueue
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.queue.dispatcher import MessageDispatcher, RetryPolicy, list_dead_letters, requeue
from shop.patterns.queue.inbox import InboxReaper
from shop.patterns.queue.models import BegunDelivery, DeadLetter

CONSUMER = "shouting"


class ProcessEnded(BaseException):
    """Simulates a crash: the dispatcher does not catch it."""


@pytest.fixture
def message():
    return QueueMessage(uuid.uuid4(), "order", "order-0", "paid", {}, datetime.now(UTC), request_id="the-request")


class Processes:
    """Worker processes, one after the other, that handle the same message."""

    def __init__(self, database):
        self._database = database
        self.outcomes = []

    def end_with(self, message):
        def end(message):
            raise ProcessEnded

        with pytest.raises(ProcessEnded):
            self._deliveries(end).deliver(CONSUMER, message.to_json())

    def handle(self, message, handler=lambda message: None):
        self._deliveries(handler).deliver(CONSUMER, message.to_json())
        return self.outcomes[-1]

    def _deliveries(self, handler):
        """Return the dispatcher of a new process."""
        observe = lambda consumer, outcome, lag_s: self.outcomes.append(outcome)  # noqa: E731
        return MessageDispatcher(self._database, {CONSUMER: handler}, RetryPolicy(), observe)


@pytest.fixture
def processes(database):
    return Processes(database)


def rows(database, model):
    with database.reading() as session:
        return list(session.scalars(select(model)))


def come_back(database):
    """Remove the message from the outbox and return it, as the relay does."""
    with database.transaction() as session:
        (row,) = session.scalars(select(OutboxMessage))
        names = ("message_id", "aggregate", "aggregate_id", "topic", "payload", "created_at", "attempts")
        found = QueueMessage(**{name: getattr(row, name) for name in names}, consumer=row.consumer)
        session.delete(row)
    return found


def test_a_crashing_message_is_retried_twice_and_then_dead(processes, message, database):
    for _ in range(2):
        processes.end_with(message)
        assert processes.handle(message) == "retried"  # by the broker, to the next process
        message = come_back(database)
    processes.end_with(message)
    assert processes.handle(message) == "dead"
    (letter,) = rows(database, DeadLetter)
    assert letter.error == "PoisonMessage: 3 processes ended while they handled it"
    assert rows(database, BegunDelivery) == []


def test_a_harmless_message_is_handled_after_its_own_pause(processes, message, database):
    processes.end_with(message)
    assert processes.handle(message) == "retried"
    (row,) = rows(database, OutboxMessage)
    assert row.due_at <= datetime.now(UTC) + timedelta(seconds=2)
    assert (row.consumer, row.attempts) == (CONSUMER, 1)
    assert processes.handle(come_back(database)) == "handled"


def test_the_next_delivery_deletes_the_record_of_the_last(database, message):
    one = MessageDispatcher(database, {CONSUMER: lambda message: None}, RetryPolicy())
    messages = [replace(message, message_id=uuid.uuid4()) for _ in range(3)]
    for each in messages:
        one.deliver(CONSUMER, each.to_json())
        assert [row.message_id for row in rows(database, BegunDelivery)] == [each.message_id]


def test_a_duplicate_in_the_same_thread_is_no_crash(database, message):
    outcomes = []
    observe = lambda consumer, outcome, lag_s: outcomes.append(outcome)  # noqa: E731
    one = MessageDispatcher(database, {CONSUMER: lambda message: None}, RetryPolicy(), observe)
    for _ in range(3):
        one.deliver(CONSUMER, message.to_json())
    assert outcomes == ["handled"] * 3


def test_a_duplicate_in_another_process_is_handled_after_a_pause(processes, message, database):
    assert processes.handle(message) == "handled"
    assert processes.handle(message) == "retried"
    assert processes.handle(come_back(database)) == "handled"


def test_an_error_between_two_crashes_keeps_their_count(processes, message, database):
    def fail(message):
        raise LookupError

    processes.end_with(message)
    assert processes.handle(message) == "retried"
    message = come_back(database)
    assert processes.handle(message, fail) == "retried"
    message = come_back(database)
    processes.end_with(message)
    assert processes.handle(message) == "retried"
    assert [row.crashes for row in rows(database, BegunDelivery)] == [2]


def test_a_second_delivery_in_the_same_process_is_no_crash(database, message):
    outcomes = []

    def handle(same):
        if len(outcomes) == 0:
            outcomes.append("first")
            one.deliver(CONSUMER, same.to_json())

    one = MessageDispatcher(database, {CONSUMER: handle}, RetryPolicy(), lambda *told: outcomes.append(told[1]))
    one.deliver(CONSUMER, message.to_json())
    assert outcomes == ["first", "handled", "handled"]


def test_old_records_of_begun_deliveries_are_deleted(processes, message, database):
    processes.end_with(message)
    with database.transaction() as session:
        session.execute(update(BegunDelivery).values(begun_at=func.now() - timedelta(days=8)))
    InboxReaper(database).run_once()
    assert rows(database, BegunDelivery) == []


def test_a_handled_message_is_logged_with_its_request(processes, message, caplog):
    with caplog.at_level(logging.INFO, "shop.patterns.queue.dispatcher"):
        processes.handle(message)
    (line,) = [record for record in caplog.records if record.message == "message_handled"]
    assert (line.consumer, line.message_id, line.attempts) == (CONSUMER, str(message.message_id), 1)


@pytest.fixture
def transport(settings):
    transport = queue_wiring.message_broker(settings)
    yield transport
    transport.stop(1)


@pytest.mark.parametrize(("topic", "consumer"), [("unheard.of", None), ("order.confirmation", "pensioner")])
def test_a_message_without_consumer_is_retried_and_then_dead(runtime, database, transport, topic, consumer):
    relay = queue_wiring.relay(runtime, transport)
    with database.transaction() as session:
        enqueue(session, "order", "order-0", topic)
    with database.transaction() as session:
        session.execute(update(OutboxMessage).values(consumer=consumer))
    relay.run_once()
    (row,) = rows(database, OutboxMessage)
    assert (row.topic, row.consumer, row.attempts) == (topic, consumer, 1)
    with database.transaction() as session:
        session.execute(update(OutboxMessage).values(attempts=runtime.settings.queue_attempts - 1, due_at=func.now()))
    relay.run_once()
    assert rows(database, OutboxMessage) == []
    (letter,) = rows(database, DeadLetter)
    assert letter.error == f"NoConsumer: no consumer {consumer or f'takes the topic {topic}'}"
    with database.transaction() as session:
        requeue(session, list_dead_letters(session, 1)[0].id)
    (row,) = rows(database, OutboxMessage)
    assert (row.topic, row.consumer, row.attempts) == (topic, consumer, 0)


def test_unroutable_messages_do_not_block_other_topics(runtime, database, transport):
    with database.transaction() as session:
        for topic in ("unheard.of", "order.confirmation"):
            enqueue(session, "order", f"order-{topic}", topic, json.loads('{"order": 1}'))
    assert queue_wiring.relay(runtime, transport).run_once() == 2
    assert [row.topic for row in rows(database, OutboxMessage)] == ["unheard.of"]
    assert transport.lengths()["confirmation"] == 1
    transport._broker.client.flushdb()
