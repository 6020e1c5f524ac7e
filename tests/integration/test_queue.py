"""Relay, broker and consumers together, over each kind of broker: a real Valkey, a real RabbitMQ."""

import re
import shutil
import signal
import subprocess
import time
import uuid
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import dramatiq
import dramatiq.worker
import pytest
import redis
from sqlalchemy import func, select, text

from shop.backoff import ExponentialBackoff
from shop.errors import NotFound
from shop.patterns.health import checks
from shop.patterns.health.readiness import PartialService
from shop.patterns.health.server_faults import CheckFailed
from shop.patterns.outbox.messages import QueueMessage, enqueue
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.outbox.relay import CLAIM, BrokerUnavailable, OutboxRelay
from shop.patterns.queue import rabbitmq
from shop.patterns.queue.dispatcher import MessageDispatcher, RetryPolicy, list_dead_letters, requeue
from shop.patterns.queue.inbox import ConsumerInbox, InboxReaper
from shop.patterns.queue.message_broker import MessageBroker
from shop.patterns.queue.models import DeadLetter, HandledMessage
from shop.patterns.queue.valkey import ValkeyBroker
from shop.settings import load_settings
from shop.stack import external_servers, valkey
from shop.stack.program import free_port
from tests.support.poison_worker import start_poison_worker
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure
from tests.support.rabbitmq import SERVER, RabbitMQ
from tests.support.small_disk import SmallDisk

CONSUMER = "shouting"
BROKERS = (
    pytest.param("valkey", marks=pytest.mark.xdist_group("queue")),
    pytest.param("rabbitmq", marks=pytest.mark.xdist_group("rabbitmq")),
)
SOON = RetryPolicy(attempts=3, backoff=ExponentialBackoff(base_s=0.02, cap_s=300.0))


class OwnValkey:
    """A broker for this module alone, which can be stopped."""

    def __init__(self):
        self.disk = SmallDisk("shop-queue-", megabytes=64)
        self._program = valkey.broker(self.disk.home, free_port())
        self.url = valkey.url(self.disk.home, self._program.port)
        self._process = None
        self.start()

    def start(self):
        self._process = subprocess.Popen(self._program.argv, stdout=subprocess.DEVNULL)
        with ended_on_failure(self.stop):
            until(self._program.healthy)

    def stop(self):
        self._process.kill()
        self._process.wait()

    def fill(self):
        """Make it refuse messages, as if its memory were full."""
        self._set_limit(1)

    def free(self):
        """Let it accept messages again."""
        self._set_limit(0)

    def _set_limit(self, limit):
        with redis.Redis.from_url(self.url) as client:
            client.config_set("maxmemory", limit)

    def clear(self):
        """Delete the waiting messages and those of dead workers: the next test would receive them."""
        with redis.Redis.from_url(self.url) as client:
            client.flushdb()

    def close(self):
        self.stop()
        self.disk.remove()


@pytest.fixture(scope="module", params=BROKERS)
def broker(request, tmp_path_factory):
    home = tmp_path_factory.mktemp(request.param)
    if request.param == "rabbitmq" and not (SERVER.exists() and shutil.which("epmd")):
        pytest.skip("RabbitMQ is not installed (on Debian: apt install rabbitmq-server)")
    broker = OwnValkey() if request.param == "valkey" else RabbitMQ(home)
    yield broker
    broker.close()


class Bench:
    """One worker's queue side: a relay that is run by hand, and consumers that run by themselves."""

    def __init__(self, database, url, handle, limit=100):
        self.database = database
        self.transport = MessageBroker(url, [CONSUMER], limit)
        self.relay = OutboxRelay(
            database, lambda m: self.transport.publish(CONSUMER, m.to_json()), self.transport.free_capacity
        )
        self.outcomes = Counter()
        self._deliveries = MessageDispatcher(database, {CONSUMER: handle}, SOON, self._seen)

    def serve(self):
        self.transport.serve(self._deliveries.deliver, threads=2, prefetch=3)

    def tell(self, count=1):
        with self.database.transaction() as session:
            for n in range(count):
                enqueue(session, "order", f"order-{n}", "paid")

    def relay_until(self, condition):
        def once():
            self.relay.run_once()
            return condition()

        until(once, timeout_s=20)

    def count(self, model):
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(model))

    def _seen(self, consumer, outcome, lag_s):
        self.outcomes[outcome] += 1


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Reconnect to a broker soon: dramatiq's own pauses take seconds."""
    monkeypatch.setattr(dramatiq.worker, "CONSUMER_RESTART_DELAY_SECS", 0.1)
    monkeypatch.setattr(dramatiq.worker, "POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.1)


@pytest.fixture
def bench(database, broker):
    made = []

    def make(handle=lambda message: None, **options):
        made.append(Bench(database, broker.url, handle, **options))
        return made[-1]

    yield make
    for one in made:
        one.transport.stop(5)
    if isinstance(broker, OwnValkey):
        broker.clear()
        return
    cleaner = MessageBroker(broker.url, [CONSUMER], 1)
    cleaner.serve(lambda consumer, body: None, 1, 100)
    until(lambda: cleaner.lengths() == {CONSUMER: 0})
    cleaner.stop(5)


def test_health_check_fails_on_a_wrong_broker_password(broker):
    checks.broker(broker.url)()
    wrong = re.sub(r":[^:@]*@", ":hush@", broker.url)
    with pytest.raises(CheckFailed, match="refuses the user or the password"):
        checks.broker(wrong)()
    assert external_servers.failure_reason(load_settings(broker_url=broker.url), "broker_url") == ""
    said = external_servers.failure_reason(load_settings(broker_url=wrong), "broker_url")
    assert re.match(r"BROKER_URL=\w+://\w*:\*\*\*@.* refuses the user or the password", said)


def test_health_check_fails_without_the_database_or_virtual_host(broker):
    nowhere, says = {
        "redis": (f"{broker.url}99", "has no database"),
        "amqp": (broker.url.replace("%2F", "nowhere"), "refuses the virtual host"),
    }[urlsplit(broker.url).scheme]
    with pytest.raises(CheckFailed, match=says):
        checks.broker(nowhere)()


def test_a_message_reaches_its_consumer_with_all_fields(bench):
    seen = []
    one = bench(seen.append)
    one.tell()
    one.relay.run_once()
    one.serve()
    until(lambda: one.outcomes["handled"] == 1)
    assert isinstance(seen[0], QueueMessage)
    assert (seen[0].aggregate_id, seen[0].topic, seen[0].attempts) == ("order-0", "paid", 0)


def test_failing_message_is_retried_and_then_a_dead_letter(bench):
    def fail(message):
        raise LookupError("no such thing")

    one = bench(fail)
    one.tell()
    one.serve()
    one.relay_until(lambda: one.outcomes["dead"])
    assert one.outcomes == {"retried": 2, "dead": 1}
    with one.database.reading() as session:
        (letter,) = list_dead_letters(session, 10)
    assert (letter.consumer, letter.attempts, letter.error) == (CONSUMER, 3, "LookupError: no such thing")
    assert one.count(OutboxMessage) == 0


def test_errors_with_text_unfit_for_postgresql_are_recorded(database):
    def fail(message):
        raise LookupError("a\0b \ud800")

    message = QueueMessage(uuid.uuid4(), "order", "order-0", "paid", {}, datetime.now(UTC))
    MessageDispatcher(database, {CONSUMER: fail}, RetryPolicy(attempts=1)).deliver(CONSUMER, message.to_json())
    with database.reading() as session:
        (letter,) = list_dead_letters(session, 10)
    assert letter.error == "LookupError: a\ufffdb \ufffd"


def test_a_requeued_dead_letter_has_all_attempts_again(bench):
    broken = [True]

    def handle(message):
        if broken:
            raise LookupError

    one = bench(handle)
    one.tell()
    one.serve()
    one.relay_until(lambda: one.outcomes["dead"])
    broken.clear()
    with one.database.transaction() as session:
        requeue(session, list_dead_letters(session, 1)[0].id)
    one.relay_until(lambda: one.outcomes["handled"])
    assert one.count(DeadLetter) == 0
    with pytest.raises(NotFound), one.database.transaction() as session:
        requeue(session, 1)


def test_a_message_delivered_twice_is_handled_once(bench, database):
    done = []
    inbox = ConsumerInbox(database, CONSUMER)
    one = bench(lambda message: inbox.process_once(message, lambda session: done.append(message.message_id)))
    one.tell()
    with database.transaction() as session:  # a relay that published and died before it could delete the row
        session.execute(
            text(
                "INSERT INTO outbox (message_id, aggregate, aggregate_id, topic, payload)"
                " SELECT message_id, aggregate, aggregate_id, topic, payload FROM outbox"
            )
        )
    one.serve()
    one.relay_until(lambda: one.outcomes["handled"] == 2)
    assert len(done) == 1


def test_a_full_queue_makes_the_outbox_hold_back(bench):
    one = bench(limit=5)
    one.tell(8)
    one.relay.run_once()
    assert one.transport.lengths() == {CONSUMER: 5}
    assert one.count(OutboxMessage) == 3
    one.serve()
    one.relay_until(lambda: one.outcomes["handled"] == 8)


def test_a_worker_prefetches_within_its_limit(bench):
    release = []
    one = bench(lambda message: until(lambda: release, timeout_s=20))
    one.tell(12)
    one.relay.run_once()
    one.serve()
    until(lambda: one.transport.lengths()[CONSUMER] == 9)
    time.sleep(0.2)  # nothing to wait for: it is about what does not happen
    assert one.transport.lengths()[CONSUMER] == 9
    release.append(True)
    until(lambda: one.outcomes["handled"] == 12)


def test_broker_outage_and_restart_lose_no_message(bench, broker, database):
    inbox, done = ConsumerInbox(database, CONSUMER), Counter()
    one = bench(
        lambda message: inbox.process_once(message, lambda session: done.update([message.aggregate_id])), limit=1000
    )
    one.serve()
    one.tell(20)
    one.relay.run_once()
    broker.stop()
    one.tell(20)
    with pytest.raises(BrokerUnavailable):
        one.relay.run_once()
    assert one.count(OutboxMessage) == 20
    broker.start()

    def all_done():
        try:
            one.relay.run_once()
        except BrokerUnavailable:
            return False
        return one.count(HandledMessage) == 40

    until(all_done, timeout_s=40)
    assert set(done.values()) == {2}


def test_broker_with_a_full_disk_loses_no_message(bench, broker, database):
    if not isinstance(broker, OwnValkey):
        pytest.skip("RabbitMQ asks for room long before its disk is full, and blocks then")
    if not broker.disk.bounded:
        pytest.skip("only root can mount a disk that is small enough to be filled, and only on Linux")
    inbox, done = ConsumerInbox(database, CONSUMER), Counter()
    one = bench(
        lambda message: inbox.process_once(message, lambda session: done.update([message.message_id])), limit=1000
    )
    one.serve()
    broker.disk.fill()
    written = 0

    def is_refused():
        nonlocal written
        one.tell()
        written += 1
        try:
            one.relay.run_once()
        except BrokerUnavailable:
            return True
        return False

    until(is_refused, timeout_s=20)
    assert one.count(OutboxMessage) >= 1
    broker.disk.free()

    def all_done():
        try:
            one.relay.run_once()
        except BrokerUnavailable:
            return False
        return one.count(HandledMessage) == written

    until(all_done, timeout_s=40)
    assert set(done.values()) == {1}


def test_full_broker_refuses_quickly_and_can_be_drained(bench, broker, monkeypatch):
    monkeypatch.setattr(rabbitmq, "BLOCKED_TIMEOUT_S", 2.0)
    one = bench()
    one.tell(2)
    one.relay.run_once()
    broker.fill()
    try:
        with pytest.raises(PartialService, match="memory"):
            until(lambda: checks.broker(broker.url)())
        one.tell()
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            one.relay.run_once()
        assert time.monotonic() - began < CLAIM.total_seconds(), "tried again and again, until the claim had passed"
        one.serve()
        until(lambda: one.outcomes["handled"] == 2, timeout_s=20)  # what it holds is taken out all the same
        assert one.count(OutboxMessage) == 1
    finally:
        broker.free()
    # What was refused may have been on its way: it comes twice then.
    relay_when_well(one, lambda: one.outcomes["handled"] >= 3)


def relay_when_well(one, condition):
    def once():
        with suppress(BrokerUnavailable):
            one.relay.run_once()
        return condition()

    until(once, timeout_s=60)


def test_a_message_that_kills_its_process_becomes_dead(bench, broker, settings):
    one = bench()
    one.tell()
    one.relay.run_once()
    first = start_poison_worker(settings.database_url, broker.url, CONSUMER)
    first.join(60)
    assert first.exitcode == -signal.SIGKILL
    second = start_poison_worker(settings.database_url, broker.url, CONSUMER)
    try:
        until(lambda: one.count(DeadLetter) == 1, timeout_s=60)
        assert second.is_alive()
    finally:
        second.kill()
        second.join()
    with one.database.reading() as session:
        (letter,) = list_dead_letters(session, 1)
    assert letter.error == "PoisonMessage: 1 processes ended while they handled it"


def test_an_unreadable_message_is_rejected_and_blocks_no_other(bench, broker):
    one = bench()
    one.transport.publish(CONSUMER, {"from": "another world"})
    one.tell()
    one.serve()
    one.relay_until(lambda: one.outcomes["handled"] == 1)
    if urlsplit(broker.url).scheme == "redis":
        until(lambda: one.transport._broker.client.zcard(f"shop:{CONSUMER}.XQ") == 1)


def test_messages_lost_with_a_connection_are_fetched_again(settings):
    broker = ValkeyBroker.at(settings.broker_url)
    broker.heartbeat_timeout, broker.maintenance_chance = 100, 1_000_000
    broker.client.flushdb()
    message = dramatiq.Message(queue_name=CONSUMER, actor_name="a", args=(), kwargs={}, options={})
    broker.enqueue(message)
    lost = broker.consume(CONSUMER, prefetch=4, timeout=10)
    until(lambda: next(lost))
    again = broker.consume(CONSUMER, prefetch=4, timeout=10)  # the worker lives on, and asks with another connection
    assert until(lambda: next(again), timeout_s=5).message_id == message.message_id
    broker.close()


def test_old_records_of_handled_messages_are_deleted(database):
    with database.transaction() as session:
        for days in (1, 8):
            long_ago = func.now() - timedelta(days=days)
            session.add(HandledMessage(consumer=CONSUMER, message_id=uuid.uuid4(), handled_at=long_ago))
    assert InboxReaper(database).run_once() == 1


@pytest.mark.parametrize(("failures", "bound"), [(1, 1.0), (2, 2.0), (5, 16.0), (30, 300.0)])
def test_pauses_double_up_to_a_bound_with_full_jitter(failures, bound):
    assert RetryPolicy().backoff.bound_s(failures) == bound
    assert 0 <= RetryPolicy().backoff.full_jitter_s(failures) <= bound
