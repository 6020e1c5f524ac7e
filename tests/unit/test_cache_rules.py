"""The outcomes of a load: not found, failure, expected error; in one process, on a fake clock."""

import contextlib
import doctest
import random
from functools import partial

import pytest

import shop.patterns.caching
from shop.clock import FakeClock
from shop.patterns.caching import (
    CATALOGUE,
    LIVE,
    NEGATIVE,
    Cache,
    CacheRequest,
    DoNotCache,
    InvalidateOnlyLocal,
    LoadOptions,
    LocalLevel,
    LockedLoad,
    NoProtection,
    NullLevel,
    StampedeState,
    TtlOnly,
    WriteThrough,
)
from shop.patterns.caching.events import CopiesEvicted, LoadFinished, LocalSize, LookupFinished, RefillFailed
from shop.patterns.caching.local import NEGATIVES_LIMIT, OVERHEAD_BYTES


class Gone(Exception):
    """The not-found error of a loader."""


class GoneForGood(Gone):
    """A not-found error that the cache does not know."""


class Source:
    """A loader that counts its calls, and returns or raises the given value."""

    def __init__(self, says):
        self.says, self.loads = says, 0

    def __call__(self):
        self.loads += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def seen():
    return []


@pytest.fixture
def local(clock, seen):
    local = LocalLevel(1_000_000, clock, seen.append)
    local.set_connected(connected=True)
    return local


@pytest.fixture
def cache(clock, local, seen):
    return Cache(NullLevel(), clock, seen.append, local, LoadOptions(not_found=Gone))


def take(cache, source, key="k", policy=CATALOGUE, tags=("a",)):
    return cache.get_or_load(key, policy, tags, source)


def test_the_example_in_the_documentation_works():
    found = doctest.testmod(shop.patterns.caching)
    assert (found.failed, found.attempted > 5) == (0, True)


def test_a_not_found_error_is_cached_with_its_text(cache, seen):
    source = Source(Gone("There is no such mug."))
    for _ in range(3):
        with pytest.raises(Gone, match="There is no such mug") as told:
            take(cache, source)
        assert type(told.value) is Gone
    assert source.loads == 1
    hits = [event for event in seen if isinstance(event, LookupFinished) and event.outcome == "hit"]
    assert {(hit.policy, hit.detail) for hit in hits} == {("negative", "negative")}


def test_a_created_thing_is_found_after_its_invalidation(cache):
    source = Source(Gone("no"))
    with pytest.raises(Gone):
        take(cache, source)
    source.says = b"here"
    cache.invalidate(["a"])
    assert take(cache, source) == b"here"


def test_negative_entries_live_for_seconds(cache, clock):
    source = Source(Gone("no"))
    with pytest.raises(Gone):
        take(cache, source)
    clock.advance(NEGATIVE.ttl_s)
    source.says = b"here"
    assert take(cache, source) == b"here"


def test_only_configured_exceptions_are_cached(cache):
    source = Source(GoneForGood("no"))
    for _ in range(2):
        with pytest.raises(GoneForGood):
            take(cache, source)
    assert source.loads == 2


def test_without_negative_caching_each_lookup_loads(clock, local):
    cache, source = Cache(NullLevel(), clock, local=local), Source(Gone("no"))
    for _ in range(2):
        with pytest.raises(Gone):
            take(cache, source)
        take(cache, lambda: b"empty", "s", NEGATIVE)
    assert source.loads == 2
    assert local.get("s") is None


def test_negative_copies_evict_only_negative_copies(cache, local):
    take(cache, Source(b"here"), "real")
    source = Source(Gone("no"))
    for number in range(3 * NEGATIVES_LIMIT):
        with pytest.raises(Gone):
            take(cache, source, f"made up {number}")
    assert local.get("real").value == b"here"
    assert local.size.copies == NEGATIVES_LIMIT + 1


def test_a_do_not_cache_value_is_returned_and_not_stored(cache, local):
    assert take(cache, Source(DoNotCache(b"many")), policy=NEGATIVE) == b"many"
    assert local.get("k") is None


def test_values_of_an_uncached_policy_are_never_shared(cache, local):
    source = Source(b"7 left")
    assert [take(cache, source, policy=LIVE) for _ in range(2)] == [b"7 left"] * 2
    assert source.loads == 2
    assert local.get("k") is None


def test_each_load_is_emitted_with_duration_and_outcome(clock, seen):
    cache = Cache(
        NullLevel(),
        clock,
        seen.append,
        options=LoadOptions(not_found=Gone, is_expected_error=lambda error: type(error) is ValueError),
    )

    def slow():
        clock.advance(0.5)
        return b"value"

    for source in (slow, Source(Gone("no")), Source(ValueError("no")), Source(OSError("away"))):
        with contextlib.suppress(Exception):
            take(cache, source)
    loads = [(event.outcome, event.seconds) for event in seen if isinstance(event, LoadFinished)]
    assert loads == [("ok", 0.5), ("absent", 0.0), ("refused", 0.0), ("failed", 0.0)]


def test_get_many_keeps_order_and_returns_none_for_absent(cache):
    take(cache, Source(b"two"), "b")
    asks = [
        CacheRequest("a", CATALOGUE, (), Source(b"one")),
        CacheRequest("b", CATALOGUE, (), Source(b"not asked")),
        CacheRequest("c", CATALOGUE, (), Source(Gone("no"))),
    ]
    assert cache.get_many(asks) == [b"one", b"two", None]
    assert cache.get_many(asks) == [b"one", b"two", None]
    assert [ask.load.loads for ask in asks] == [1, 0, 1]


def test_a_scan_evicts_no_copy_used_twice(clock, seen):
    size = OVERHEAD_BYTES + 100
    local = LocalLevel(100 * size, clock, seen.append)
    local.set_connected(connected=True)
    for number in range(50):
        local.put(f"hot {number:02}", b"v" * 94, (), 60, local.generation())
        local.get(f"hot {number:02}")
    for number in range(5000):
        local.put(f"scan {number}", b"v" * 90, (), 60, local.generation())
    assert sum(local.get(f"hot {number:02}") is not None for number in range(50)) == 50
    assert sum(event.copies for event in seen if isinstance(event, CopiesEvicted)) > 4900
    held = [event for event in seen if isinstance(event, LocalSize)][-1]
    keys = [*(f"hot {number:02}" for number in range(50)), *(f"scan {number}" for number in range(5000))]
    assert held.bytes == sum(copy.size for key in keys if (copy := local.get(key))) <= 100 * size


def test_unused_copies_of_the_main_queue_are_evicted(clock):
    local = LocalLevel(10 * (OVERHEAD_BYTES + 100), clock)
    local.set_connected(connected=True)
    for number in range(200):
        local.put(f"k{number:03}", b"v" * 94, (), 60, local.generation())
        local.get(f"k{number:03}")
    copies = {number: copy for number in range(200) if (copy := local.get(f"k{number:03}"))}
    assert list(copies) == list(range(190, 200))
    assert local.size.bytes == sum(copy.size for copy in copies.values())
    assert local._small_bytes == sum(copy.size for copy in local._small.values())  # no event or method shows it


def test_random_use_keeps_the_sizes_consistent(clock):
    local, chance = LocalLevel(20 * (OVERHEAD_BYTES + 100), clock), random.Random(7)
    local.set_connected(connected=True)
    for _ in range(5000):
        key = f"k{chance.randrange(60)}"
        what = chance.random()
        if what < 0.5:
            local.get(key)
        elif what < 0.9:
            size = chance.randrange(300)
            local.put(key, b"v" * size, (key, "all"), 60, local.generation(), negative=chance.random() < 0.3)
        elif what < 0.99:
            local.invalidate([key])
        else:
            clock.advance(1)
    copies = {key: copy for number in range(60) if (copy := local.get(key := f"k{number}"))}
    assert (local.size.copies, local.size.bytes) == (len(copies), sum(copy.size for copy in copies.values()))
    assert local.size.bytes <= 20 * (OVERHEAD_BYTES + 100)
    assert local.tags == {tag for copy in copies.values() for tag in copy.tags}
    assert all(copy.queue[key] is copy for key, copy in copies.items())
    queues = {id(copy.queue): copy.queue for copy in copies.values()}
    assert sum(map(len, queues.values())) == len(copies)
    assert local._small_bytes == sum(copy.size for copy in local._small.values())  # no event or method shows it


def test_a_failed_refill_is_emitted_and_the_others_run(cache, seen):
    done = []
    WriteThrough(cache, emit=seen.append).on_write(["a"], [lambda: 1 / 0, lambda: done.append("second")])
    assert done == ["second"]
    assert [event.reason for event in seen if isinstance(event, RefillFailed)] == ["ZeroDivisionError"]


def test_ttl_only_entries_ignore_invalidation_and_are_separate(cache, clock):
    timed, source = TtlOnly(cache), Source(b"old")
    timed.get_or_load("k", CATALOGUE, ["a"], source)
    cache.get_or_load("k", CATALOGUE, ["a"], source)
    timed.on_write(["a"])
    source.says = b"new"
    assert timed.get_or_load("k", CATALOGUE, ["a"], source) == b"old"
    assert timed.peek("k", CATALOGUE, ["a"]).value == b"old"
    assert cache.get_or_load("k", CATALOGUE, ["a"], source) == b"new"
    clock.advance(6)
    assert timed.get_or_load("k", CATALOGUE, ["a"], source) == b"new"


def test_without_protection_every_reader_loads(clock, local):
    cache, source = Cache(NullLevel(), clock, local=local, strategy=NoProtection), Source(b"one")
    assert take(cache, lambda: take(cache, source)) == b"one"  # a load within a load of the same key: no deadlock
    assert source.loads == 1


def test_without_levels_every_lookup_loads_without_waiting(clock, local):
    strategy = partial(LockedLoad, state=StampedeState(max_wait_s=0.01))
    cache = Cache(NullLevel(), clock, local=InvalidateOnlyLocal(local), strategy=strategy)
    source, depth = Source(b"one"), []

    def nested():
        depth.append(1)
        return take(cache, nested) if len(depth) < 3 else take(cache, source)

    assert take(cache, nested) == b"one"
    assert (len(depth), source.loads) == (3, 1)


class Moved(Exception):
    """Another kind of not-found error."""


def test_kinds_of_not_found_errors_are_distinguished():
    rules = LoadOptions(not_found=(Gone, Moved))
    assert rules.encode_not_found(Gone("no mug")) == "no mug"
    assert rules.encode_not_found(ValueError("broken")) is None
    for error in (Gone("no mug"), Moved("a/b")):
        revived = rules.decode_not_found(rules.encode_not_found(error))
        assert (type(revived), str(revived)) == (type(error), str(error))
