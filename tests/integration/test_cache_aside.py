"""Cache-aside on a real Valkey, through the public interface."""

import threading

import pytest

from shop.clock import SystemClock
from shop.patterns.caching import CATALOGUE, LIVE, Cache, InvalidateOnlyLevel, NullLevel, SharedLevel
from shop.patterns.caching.events import LookupFinished


class Source:
    """A loader that counts its calls."""

    def __init__(self, value: bytes = b"one") -> None:
        self.value = value
        self.loads = 0

    def __call__(self) -> bytes:
        self.loads += 1
        return self.value


@pytest.fixture
def level(settings, cache_client):
    level = SharedLevel(settings.cache_url, 1000, SystemClock())
    yield level
    level.close()


@pytest.fixture
def seen():
    return []


@pytest.fixture
def cache(level, seen):
    return Cache(level, SystemClock(), seen.append)


def outcomes(seen):
    return [event.outcome for event in seen if isinstance(event, LookupFinished)]


def test_a_second_lookup_is_a_hit(cache, seen):
    source = Source()
    assert [cache.get_or_load("k", CATALOGUE, ["a"], source) for _ in range(3)] == [b"one"] * 3
    assert source.loads == 1
    assert outcomes(seen) == ["miss", "hit", "hit"]
    hit = [event for event in seen if isinstance(event, LookupFinished)][1]
    assert CATALOGUE.ttl_s - 5 <= hit.ttl_s <= CATALOGUE.ttl_s


def test_invalidating_one_of_its_tags_ends_an_entry(cache, seen):
    source = Source()
    cache.get_or_load("k", CATALOGUE, ["a", "b"], source)
    source.value = b"two"
    cache.invalidate(["b"])
    assert cache.get_or_load("k", CATALOGUE, ["a", "b"], source) == b"two"
    assert outcomes(seen) == ["miss", "stale"]


def test_invalidating_another_tag_keeps_the_entry(cache):
    source = Source()
    cache.get_or_load("k", CATALOGUE, ["a"], source)
    cache.invalidate(["b"])
    cache.get_or_load("k", CATALOGUE, ["a"], source)
    assert source.loads == 1


def test_an_evicted_tag_costs_a_miss_and_revives_nothing(cache, cache_client):
    source = Source()
    cache.get_or_load("k", CATALOGUE, ["a"], source)
    cache_client.delete("shop:1:t:a")
    source.value = b"two"
    assert cache.get_or_load("k", CATALOGUE, ["a"], source) == b"two"


def test_an_invalidated_entry_stays_invalid_after_tag_eviction(cache, cache_client):
    source = Source()
    cache.get_or_load("k", CATALOGUE, ["a"], source)
    cache.invalidate(["a"])
    cache_client.delete("shop:1:t:a")
    source.value = b"two"
    assert cache.get_or_load("k", CATALOGUE, ["a"], source) == b"two"


def test_a_load_from_before_an_invalidation_is_never_fresh(cache, level):
    """A slow reader reads the old row, the row changes and is invalidated, and then the reader stores its value."""
    has_read, may_fill = threading.Event(), threading.Event()

    def slow_load() -> bytes:
        has_read.set()
        assert may_fill.wait(5)
        return b"old"

    got = []
    slow = threading.Thread(target=lambda: got.append(cache.get_or_load("k", CATALOGUE, ["a"], slow_load)))
    slow.start()
    assert has_read.wait(5)
    cache.invalidate(["a"])
    may_fill.set()
    slow.join(5)
    assert got == [b"old"]
    assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"new") == b"new"


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"no header",
        b"{}\nvalue",
        b'{"v":1,"expires":9e9,"tags":[]}\nthe layout before',
        b'[1,9e9,9e9,0.1,0,"",[]]\nanother version',
        b'[2,9e9,9e9,0.1,0,"",{}]\nno list of versions',
        b'[2,"soon",9e9,0.1,0,"",[]]\nno time',
        b"\x80\x04K\x01.\n",
        b"\xff\xfe\n",
        b"[]\nvalue",
    ],
)
def test_an_unreadable_entry_is_a_miss(cache, cache_client, garbage):
    cache_client.set("shop:1:e:k", garbage)
    assert cache.get_or_load("k", CATALOGUE, [], Source()) == b"one"
    assert cache.get_or_load("k", CATALOGUE, [], Source(b"not asked")) == b"one"


def test_a_failed_load_raises_and_stores_nothing(cache):
    def failing() -> bytes:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        cache.get_or_load("k", CATALOGUE, ["a"], failing)
    assert cache.get_or_load("k", CATALOGUE, ["a"], Source()) == b"one"


def test_live_data_is_never_stored(cache, cache_client):
    source = Source()
    cache.get_or_load("k", LIVE, ["a"], source)
    cache.get_or_load("k", LIVE, ["a"], source)
    assert source.loads == 2
    assert cache_client.dbsize() == 0


def test_every_key_expires(cache, cache_client):
    cache.get_or_load("k", CATALOGUE, ["a"], Source())
    cache.invalidate(["b"])
    assert all(cache_client.ttl(key) > 0 for key in cache_client.scan_iter())


def test_without_a_level_every_lookup_loads():
    source = Source()
    cache = Cache(NullLevel(), SystemClock())
    cache.get_or_load("k", CATALOGUE, ["a"], source)
    cache.get_or_load("k", CATALOGUE, ["a"], source)
    assert source.loads == 2


def test_invalidations_while_switched_off_count_afterwards(cache, level):
    cache.get_or_load("k", CATALOGUE, ["a"], Source(b"old"))
    Cache(InvalidateOnlyLevel(level), SystemClock()).invalidate(["a"])
    assert cache.get_or_load("k", CATALOGUE, ["a"], Source(b"new")) == b"new"
