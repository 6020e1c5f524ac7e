"""A cache that refuses writes, and keys of the wrong type: no invalidated value is served."""

import pytest
import redis

from shop.clock import SystemClock
from shop.patterns.caching import CATALOGUE, Cache, InvalidationListener, LocalLevel, SharedLevel
from shop.patterns.caching.events import LevelDown, LevelUp, TagsInvalidated, WrongType
from shop.stack.program import free_port
from tests.integration.test_cache_away import OwnValkey
from tests.support.polling import until

LIMIT_BYTES = 1_000_000


class Process:
    """The objects of one process."""

    def __init__(self, url):
        clock, self.seen = SystemClock(), []
        self.level = SharedLevel(url, 1000, clock, self.seen.append)
        local = LocalLevel(LIMIT_BYTES, clock)
        self.cache = Cache(self.level, clock, self.seen.append, local)
        self.listener = InvalidationListener(url, local, self.seen.append, pending=self.level)
        self.listener.start()

    def take(self, value=b"not asked", key="k", tag="a"):
        return self.cache.get_or_load(key, CATALOGUE, [tag], lambda: value)

    def told(self, kind):
        return [event for event in self.seen if isinstance(event, kind)]

    def close(self):
        self.listener.stop()
        self.level.close()


class RefusingServer(OwnValkey):
    """A server that refuses every write on request."""

    def refuse(self, how):
        with redis.Redis.from_url(self.url) as client:
            if how == "full":
                client.config_set("maxmemory-policy", "noeviction")
                client.config_set("maxmemory", "1")
            else:
                client.replicaof("127.0.0.1", free_port())

    def take_writes(self):
        with redis.Redis.from_url(self.url) as client:
            client.config_set("maxmemory", "0")
            client.replicaof("no", "one")

    def version(self, tag):
        with redis.Redis.from_url(self.url) as client:
            return client.get(f"shop:1:t:{tag}")


@pytest.fixture
def server(tmp_path):
    server = RefusingServer(tmp_path / "valkey")
    yield server
    server.kill()


@pytest.fixture
def start(server):
    started = []

    def begin():
        started.append(Process(server.url))
        return started[-1]

    yield begin
    for process in started:
        process.close()


class Edge:
    """An edge's purger: a subscriber that records the invalidated tags."""

    name = "edge"

    def __init__(self):
        self.dropped = []

    def set_connected(self, *, connected):
        """Drop nothing."""

    def invalidate(self, tags):
        self.dropped.append(tags)


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_refused_invalidation_holds_in_every_process(server, start, how):
    edge = Edge()
    purging = InvalidationListener(server.url, edge)
    purging.start()
    one, two = start(), start()
    one.take(b"old")
    server.refuse(how)
    one.cache.invalidate(["a"])
    assert [event.delayed for event in one.told(TagsInvalidated)] == [True]
    until(lambda: two.take(b"new") == b"new")
    assert [two.take(b"new") for _ in range(50)] == [b"new"] * 50
    until(lambda: edge.dropped == [["a"], ["a"]])  # what was answered from the old entry in between goes, too
    purging.stop()


def test_a_process_started_meanwhile_serves_no_old_entry(server, start):
    one = start()
    one.take(b"old")
    server.refuse("read-only")
    one.cache.invalidate(["a"])
    three = start()
    assert three.take(b"new") == b"new"
    assert [event.reason for event in three.told(LevelDown)] == ["ReadOnlyError"]


def test_refused_invalidations_are_delivered_without_a_request(server, start):
    one, two = start(), start()
    one.take(b"old")
    before = server.version("a")
    server.refuse("full")
    one.cache.invalidate(["a"])
    until(lambda: two.level.pending_invalidations)
    one.close()  # whoever was refused may be gone
    assert server.version("a") == before
    server.take_writes()
    until(lambda: server.version("a") != before)
    until(lambda: two.told(LevelUp))
    assert two.take(b"new") == b"new"
    assert two.take() == b"new"


def test_an_invalidation_is_tried_at_once_after_a_refusal(server, start):
    one = start()
    one.take(b"old")
    server.refuse("full")
    one.cache.invalidate(["a"])
    server.take_writes()
    one.cache.invalidate(["a"])
    assert [event.delayed for event in one.told(TagsInvalidated)] == [True, False]


@pytest.mark.parametrize("name", ["e:k", "t:a"])
def test_a_key_of_the_wrong_type_costs_one_load(server, start, name):
    one, two = start(), start()
    one.take(b"old")
    one.take(b"other", "other", "b")
    with redis.Redis.from_url(server.url) as client:
        client.delete(f"shop:1:{name}")
        client.rpush(f"shop:1:{name}", "something else")
    assert two.take(b"new") == b"new"
    assert two.take(key="other", tag="b") == b"other"
    assert [event.keys for event in two.told(WrongType)] == [1]
    assert two.told(LevelDown) == []
    until(lambda: start().take(b"again") == start().take())  # it can be kept again
