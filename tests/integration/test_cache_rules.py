"""Absence, failure, size and the ways to invalidate, in the shared level on a real Valkey."""

import json
import threading

import pytest
import redis

from shop.clock import FakeClock, SystemClock
from shop.patterns.caching import (
    CATALOGUE,
    NEGATIVE,
    Cache,
    CachePolicy,
    CacheRequest,
    EventInvalidation,
    LoadOptions,
    SharedLevel,
    TtlOnly,
    WriteThrough,
    jittered,
)
from shop.patterns.caching.events import LookupFinished, StaleFillRejected, TooLarge
from shop.patterns.caching.inspection import inspect
from shop.patterns.caching.load_options import BACKOFF_S
from shop.patterns.caching.loader import VALUE_LIMIT_BYTES
from shop.patterns.observability.cache_metrics import cache_status
from shop.stack.program import free_port
from tests.integration.test_cache_away import OwnValkey
from tests.support.polling import until

SHORT = CachePolicy("catalogue", ttl_s=60, stale_while_revalidate_s=60, stale_if_error_s=600)


class Gone(Exception):
    """The not-found error of a loader."""


class Refused(Exception):
    """An expected error."""


class MovingClock(FakeClock):
    """A fake clock that begins at the present time, as Valkey's own clock does."""

    def __init__(self):
        super().__init__(SystemClock().now().replace(microsecond=0))


@pytest.fixture
def clock():
    return MovingClock()


@pytest.fixture
def seen():
    return []


@pytest.fixture
def level(settings, cache_client, clock, seen):
    level = SharedLevel(settings.cache_url, 2000, clock, seen.append)
    yield level
    level.close()


@pytest.fixture
def cache(level, clock, seen):
    rules = LoadOptions(not_found=Gone, is_expected_error=lambda error: isinstance(error, Refused), stale_if_error=True)
    return Cache(level, clock, seen.append, options=rules)


def raising(error):
    def load():
        raise error

    return load


def statuses(seen):
    return [cache_status(event) for event in seen if isinstance(event, LookupFinished)]


def test_negative_entries_are_shared_until_their_invalidation(cache, clock, level, seen):
    for _ in range(2):
        with pytest.raises(Gone, match="no mug"):
            cache.get_or_load("k", CATALOGUE, ["a"], raising(Gone("no mug")))
    assert statuses(seen) == [
        "shop-shared; fwd=miss; stored; detail=negative",
        f"shop-shared; hit; ttl={NEGATIVE.ttl_s}; detail=negative",
    ]
    cache.invalidate(["a"])
    assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"a mug") == b"a mug"


def test_negative_entries_and_their_tags_expire_soon(cache, cache_client):
    cache.get_or_load("real", CATALOGUE, ["all"], lambda: b"here")
    for number in range(50):
        with pytest.raises(Gone):
            cache.get_or_load(f"made-up-{number}", CATALOGUE, [f"tag-{number}", "all"], raising(Gone("no")))
    lasting = {key.decode() for key in cache_client.scan_iter() if cache_client.pttl(key) > NEGATIVE.ttl_s * 1000}
    assert lasting == {"shop:1:e:real", "shop:1:t:all"}  # the shared tag has its whole time, and each made-up one not


def test_a_failing_load_serves_the_last_good_value_with_backoff(cache, clock, seen):
    cache.get_or_load("k", SHORT, ["a"], lambda: b"good")
    clock.advance(70)
    tries = []

    def failing():
        tries.append(clock.monotonic())
        raise OSError("the database is away")

    for _ in range(5):
        assert cache.get_or_load("k", SHORT, ["a"], failing) == b"good"
    assert len(tries) == 1
    clock.advance(BACKOFF_S)
    assert cache.get_or_load("k", SHORT, ["a"], failing) == b"good"
    assert len(tries) == 2
    assert statuses(seen)[1:3] == [
        "shop-shared; fwd=stale; ttl=-10; detail=stale-if-error",
        "shop-shared; hit; ttl=-10; detail=stale-if-error",
    ]
    clock.advance(BACKOFF_S)
    assert cache.get_or_load("k", SHORT, ["a"], lambda: b"new") == b"new"


@pytest.mark.parametrize("error", [Refused("no"), Gone("no")])
def test_an_expected_error_is_raised_despite_stale_if_error(cache, clock, error):
    cache.get_or_load("k", SHORT, ["a"], lambda: b"good")
    clock.advance(70)
    with pytest.raises(type(error)):
        cache.get_or_load("k", SHORT, ["a"], raising(error))


def test_an_invalidated_value_is_never_served_on_errors(cache):
    cache.get_or_load("k", SHORT, ["a"], lambda: b"wrong by now")
    cache.invalidate(["a"])
    with pytest.raises(OSError, match="away"):
        cache.get_or_load("k", SHORT, ["a"], raising(OSError("away")))


def test_after_the_grace_period_a_failing_load_raises(cache, clock):
    cache.get_or_load("k", SHORT, ["a"], lambda: b"good")
    clock.advance(SHORT.ttl_s + SHORT.grace_s + 1)
    with pytest.raises(OSError, match="away"):
        cache.get_or_load("k", SHORT, ["a"], raising(OSError("away")))


def test_without_stale_if_error_a_failing_load_raises(level, clock):
    cache = Cache(level, clock)
    cache.get_or_load("k", SHORT, ["a"], lambda: b"good")
    clock.advance(70)
    with pytest.raises(OSError, match="away"):
        cache.get_or_load("k", SHORT, ["a"], raising(OSError("away")))


def test_a_too_large_value_is_returned_and_not_stored(cache, cache_client, seen):
    large = b"v" * VALUE_LIMIT_BYTES
    assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: large) == large
    assert [event.bytes > VALUE_LIMIT_BYTES for event in seen if isinstance(event, TooLarge)] == [True]
    assert not cache_client.keys("shop:1:[el]:*")  # and its lock is given back


def test_a_late_fill_is_rejected(cache, cache_client, seen):
    def overtaken():
        cache.invalidate(["a"])
        return b"old"

    assert cache.get_or_load("k", CATALOGUE, ["a"], overtaken) == b"old"
    assert [event for event in seen if isinstance(event, StaleFillRejected)] == [
        StaleFillRejected("shop-shared", "catalogue")
    ]
    assert not cache_client.keys("shop:1:[el]:*")


def test_lifetimes_differ_by_a_tenth(level, clock, cache_client):
    draws = iter([0.0, 1.0])
    cache = Cache(level, clock, options=LoadOptions(lifetime=jittered(lambda: next(draws))))
    for key in ("short", "long"):
        cache.get_or_load(key, CachePolicy("catalogue", ttl_s=100), [], lambda: b"v")
    assert [round(cache_client.pttl(f"shop:1:e:{key}") / 1000) for key in ("short", "long")] == [90, 110]


def test_several_keys_are_read_in_one_round_trip(cache, level):
    cache.get_or_load("a", CATALOGUE, ["t", "u"], lambda: b"one")
    cache.get_or_load("c", CATALOGUE, [], lambda: b"three")
    asks = [
        CacheRequest("a", CATALOGUE, ["t", "u"], lambda: b"not asked"),
        CacheRequest("b", CATALOGUE, ["u"], lambda: b"two"),
        CacheRequest("c", CATALOGUE, [], lambda: b"not asked"),
        CacheRequest("d", CATALOGUE, ["t"], raising(Gone("no"))),
    ]
    packets = []
    exchange = level.client.connections.execute_pipeline
    level.client.connections.execute_pipeline = lambda sent, *limit: packets.append(sent) or exchange(sent, *limit)
    assert cache.get_many([asks[0], asks[2]]) == [b"one", b"three"]
    assert len(packets) == 1
    assert cache.get_many(asks) == [b"one", b"two", b"three", None]


@pytest.fixture
def cluster(tmp_path):
    # By default its nodes would talk on a port 10,000 above, where any client's connection may be.
    server = OwnValkey(tmp_path / "valkey", "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    yield server
    server.kill()


def make_whole(server):
    """Give the one server of a cluster every slot; even so it refuses a command whose keys are in two of them."""
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
        with pytest.raises(redis.ResponseError, match="same slot"):
            client.mget("shop:1:e:k", "shop:1:t:a")


def test_commands_follow_the_key_rules_of_a_cluster(cluster, clock):
    make_whole(cluster)
    seen = []
    level = SharedLevel(cluster.url, 2000, clock, seen.append)
    cache = Cache(level, clock, seen.append, options=LoadOptions(not_found=Gone))
    for value in (b"one", b"two"):
        assert cache.get_or_load("k", CATALOGUE, ["a", "b"], lambda value=value: value) == value
        cache.invalidate(["b"])
    with pytest.raises(Gone):
        cache.get_or_load("none", CATALOGUE, ["a", "c"], raising(Gone("no")))
    cache.get_many(
        [CacheRequest("k", CATALOGUE, ["a"], lambda: b"v"), CacheRequest("l", CATALOGUE, ["b"], lambda: b"v")]
    )
    assert {event.outcome for event in seen if isinstance(event, LookupFinished)} == {"miss", "stale"}
    level.close()


def test_no_command_searches_for_keys_or_names_two_of_them(cluster, clock, seen):
    make_whole(cluster)
    with redis.Redis.from_url(cluster.url) as client:
        client.config_resetstat()  # of a server nobody else asks
        level = SharedLevel(cluster.url, 2000, clock, seen.append)
        cache = Cache(level, clock, seen.append)
        for _ in range(2):
            cache.get_or_load("k", CATALOGUE, ["a", "b"], lambda: b"v")
        cache.invalidate(["a", "b"])
        level.close()
        used = {name.removeprefix("cmdstat_").split("|")[0] for name in client.info("commandstats")}
    assert {"get", "set"} <= used
    assert used.isdisjoint({"keys", "scan", "mget", "mset", "smembers", "flushdb", "evalsha"})


def test_write_through_spares_the_next_reader_the_load(cache, seen):
    source = {"price": b"12"}
    written = WriteThrough(cache)

    def read():
        return written.get_or_load("k", CATALOGUE, ["a"], lambda: source["price"])

    assert read() == b"12"
    source["price"] = b"13"
    written.on_write(["a"], [read])
    assert read() == b"13"
    assert [event.outcome for event in seen if isinstance(event, LookupFinished)] == ["miss", "stale", "hit"]


def test_of_two_racing_writers_the_later_commit_stays(level, clock):
    """The first refills from what it read before the second committed, and its fill arrives last."""
    first, second = (WriteThrough(Cache(level, clock)) for _ in range(2))
    source = {"price": b"first"}
    has_read, may_fill = threading.Event(), threading.Event()

    def slow_refill():
        def load():
            value = source["price"]
            has_read.set()
            assert may_fill.wait(10)
            return value

        first.get_or_load("k", CATALOGUE, ["a"], load)

    one = threading.Thread(target=lambda: first.on_write(["a"], [slow_refill]))
    one.start()
    assert has_read.wait(5)
    source["price"] = b"second"
    second.on_write(["a"], [lambda: second.get_or_load("k", CATALOGUE, ["a"], lambda: source["price"])])
    may_fill.set()
    one.join(10)
    assert first.get_or_load("k", CATALOGUE, ["a"], lambda: b"not asked") == b"second"


def test_switching_back_from_ttl_only_revives_no_entry(cache):
    by_event, by_time = EventInvalidation(cache), TtlOnly(cache)
    by_event.get_or_load("k", CATALOGUE, ["a"], lambda: b"old")
    by_time.get_or_load("k", CATALOGUE, ["a"], lambda: b"old")
    by_time.on_write(["a"])
    assert by_time.get_or_load("k", CATALOGUE, ["a"], lambda: b"new") == b"old"
    assert by_event.get_or_load("k", CATALOGUE, ["a"], lambda: b"new") == b"new"


def test_an_entry_can_be_inspected(cache, level, clock):
    now = clock.now().timestamp()
    assert inspect(level, "k", now).state == "missing"
    cache.get_or_load("k", SHORT, ["a", "b"], lambda: b"value")
    found = inspect(level, "k", now)
    assert (found.state, found.tags, found.ended_by) == ("fresh", ("a", "b"), ())
    assert found.fresh_s == pytest.approx(60, abs=1)
    cache.invalidate(["b"])
    found = inspect(level, "k", now)
    assert (found.state, found.ended_by) == ("invalidated", ("b",))
    assert json.dumps(found.tags)
