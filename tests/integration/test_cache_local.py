"""Local levels of several processes, invalidated over a real Valkey."""

import subprocess
import sys
import threading

import pytest
import redis

from shop.clock import SystemClock
from shop.patterns.caching import (
    CATALOGUE,
    Cache,
    InvalidateOnlyLocal,
    InvalidationListener,
    LocalLevel,
    NullLevel,
    SharedLevel,
)
from shop.patterns.caching.events import LevelDown, LevelUp, LookupFinished
from tests.integration.test_cache_away import OwnValkey, until

LIMIT_BYTES = 1_000_000


class Process:
    """The objects of one process: a local level, its listener, the shared level, and their events."""

    def __init__(self, url, shared=True):
        clock = SystemClock()
        self.seen = []
        self.local = LocalLevel(LIMIT_BYTES, clock)
        self.level = SharedLevel(url, 1000, clock)
        self.cache = Cache(self.level if shared else NullLevel(), clock, self.seen.append, self.local)
        self.off = Cache(self.level, clock, self.seen.append, InvalidateOnlyLocal(self.local))
        self.listener = InvalidationListener(url, self.local, self.seen.append, pending=self.level)
        self.listener.start()

    def take(self, value=b"not asked", tags=("a",)):
        return self.cache.get_or_load("k", CATALOGUE, tags, lambda: value)

    def outcomes(self, level="shop-local"):
        return [event.outcome for event in self.seen if isinstance(event, LookupFinished) and event.level == level]

    def close(self):
        self.listener.stop()
        self.level.close()


@pytest.fixture
def start(settings, cache_client):
    started = []

    def begin(url=settings.cache_url, **options):
        started.append(Process(url, **options))
        return started[-1]

    yield begin
    for process in started:
        process.close()


@pytest.fixture
def server(tmp_path):
    server = OwnValkey(tmp_path / "valkey")
    yield server
    server.go_on()
    server.kill()


def test_the_second_lookup_is_local(start):
    one = start()
    assert one.take(b"one") == one.take() == b"one"
    assert one.outcomes() == ["miss", "hit"]
    assert one.outcomes("shop-shared") == ["miss"]


def test_a_hit_of_the_shared_level_leaves_a_copy(start):
    one, two = start(), start()
    one.take(b"one")
    assert two.take() == two.take() == b"one"
    assert two.outcomes("shop-shared") == ["hit"]
    assert two.outcomes() == ["miss", "hit"]


def test_the_invalidating_process_sees_the_new_state_at_once(start):
    one = start()
    one.listener.stop()  # the broadcast is not what does it
    one.local.set_connected(connected=True)
    one.take(b"old")
    one.cache.invalidate(["a"])
    assert one.take(b"new") == b"new"


INVALIDATING = """
import sys
from shop.clock import SystemClock
from shop.patterns.caching import Cache, SharedLevel
level = SharedLevel(sys.argv[1], 1000, SystemClock())
Cache(level, SystemClock()).invalidate(["b", "a"])
level.close()
"""


@pytest.mark.parametrize("shared", [True, False])
def test_another_process_drops_its_copies_after_the_broadcast(start, settings, shared):
    one = start(shared=shared)
    one.take(b"old")
    subprocess.run([sys.executable, "-c", INVALIDATING, str(settings.cache_url)], timeout=20, check=True)
    until(lambda: one.local.get("k") is None, 2.0)
    assert one.take(b"new") == b"new"


def test_a_pending_invalidation_is_broadcast_at_its_delivery(start, server):
    one, two = start(server.url), start(server.url)
    two.take(b"old")
    one.level.client.breaker.record_failure()  # as after a timeout: this process leaves the level alone
    one.cache.invalidate(["a"])
    assert two.take() == b"old"
    until(lambda: one.take(b"new") == b"new" and two.take(b"new") == b"new")


def test_a_load_that_began_before_a_broadcast_leaves_no_copy(start):
    one, two = start(), start()
    has_read, may_return = threading.Event(), threading.Event()

    def slow_load():
        has_read.set()
        assert may_return.wait(5)
        return b"old"

    slow = threading.Thread(target=lambda: one.cache.get_or_load("k", CATALOGUE, ["a"], slow_load))
    slow.start()
    assert has_read.wait(5)
    before = one.local.invalidation_count
    two.cache.invalidate(["a"])
    until(lambda: one.local.invalidation_count != before)
    may_return.set()
    slow.join(5)
    assert one.take(b"new") == b"new"


class ReadsThenWaits:
    """A level that lets the test act between the read and its return."""

    def __init__(self, level, between):
        self._level, self._between = level, between

    def __getattr__(self, name):
        return getattr(self._level, name)

    def read(self, key, tags):
        reading = self._level.read(key, tags)
        self._between()
        return reading


def test_an_entry_read_just_before_an_invalidation_leaves_no_copy(start):
    one = start()
    start().take(b"old")
    overtaken = Cache(ReadsThenWaits(one.level, lambda: one.cache.invalidate(["a"])), SystemClock(), local=one.local)
    assert overtaken.get_or_load("k", CATALOGUE, ["a"], lambda: b"not asked") == b"old"  # it began before
    assert one.take(b"new") == b"new"


def test_a_lost_connection_drops_all_copies_until_reconnected(start, settings):
    one = start()
    one.take(b"old", tags=())
    with redis.Redis.from_url(settings.cache_url) as client:
        channel = f"shop:1:invalidated:{client.connection_pool.connection_kwargs['db']}"
        client.delete("shop:1:e:k")
        kill_subscriber(client, channel)
        until(lambda: any(isinstance(event, LevelDown) for event in one.seen))
        until(lambda: one.local.generation() is not None)
    assert one.take(b"new", tags=()) == b"new"
    assert [event.level for event in one.seen if isinstance(event, LevelUp)] == ["shop-local"]


def kill_subscriber(client, channel):
    """Cut the connections of this database's listeners; other test processes' are left alone."""
    database = channel.rpartition(":")[2]
    listeners = [found["id"] for found in client.client_list(_type="pubsub") if found["db"] == database]
    assert listeners
    for number in listeners:
        client.client_kill_filter(_id=number)


def test_without_a_listener_every_lookup_goes_to_the_shared_level(start, server):
    one = start(server.url)
    one.take(b"old")
    server.kill()
    until(lambda: one.local.generation() is None)
    assert one.take(b"new") == b"new"
    assert one.take(b"newer") == b"newer"
    assert one.outcomes()[-2:] == ["bypass", "bypass"]


def test_a_hanging_server_counts_as_a_lost_connection(start, server):
    one = start(server.url)
    one.take(b"old")
    server.hang()
    until(lambda: one.local.generation() is None)
    assert one.local.get("k") is None


def test_values_loaded_during_an_outage_get_no_copy(start):
    one = start()
    one.level.client.breaker.record_failure()
    one.take(b"loaded")
    assert one.local.get("k") is None


def test_local_invalidations_while_switched_off_count_afterwards(start):
    one = start()
    one.take(b"old")
    one.listener.stop()
    one.local.set_connected(connected=True)
    one.take(b"old")
    one.off.invalidate(["a"])
    assert one.take(b"new") == b"new"


def test_stopping_the_listener_emits_no_outage(start):
    one = start()
    one.listener.stop()
    assert one.seen == []
    assert one.local.generation() is None


def test_a_store_starts_without_a_reachable_cache(start, server):
    server.kill()
    one = start(server.url)
    assert one.take(b"one") == b"one"
    server.start()
    until(lambda: one.local.generation() is not None)
