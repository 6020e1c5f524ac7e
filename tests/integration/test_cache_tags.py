"""Random orders of reads, slow loads, writes, failures, evictions and expiries, with the levels of two processes: no
reader gets a value that its process has invalidated, and at the end every value agrees with the source."""

import contextlib
import itertools

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from shop.patterns.caching import (
    CATALOGUE,
    Cache,
    InvalidationListener,
    LoadOptions,
    LocalLevel,
    LockedLoad,
    LockWithEarlyExpiry,
    NoProtection,
    SharedLevel,
    TaggedValue,
)
from shop.patterns.caching.entry import CacheEntry, encode
from shop.patterns.caching.load_options import BACKOFF_S
from tests.support.polling import until
from tests.support.shifted_clock import ShiftedClock

TAGS = ("a", "b", "c")
KEYS = {"k1": ("a",), "k2": ("a", "b"), "k3": ("c", "b"), "k4": (), "k5": ("a", "b"), "k6": ("c",)}
FOUND = {"k5": ("b",), "k6": ("c",)}
"""The found tags of a key; the request names the other tags."""
ABSENT = -1
QUIET = itertools.count()
keys = st.sampled_from(sorted(KEYS))
tags = st.sampled_from(TAGS)
places = st.sampled_from([0, 1])


def asked(key):
    return [tag for tag in KEYS[key] if tag not in FOUND.get(key, ())]


class Gone(Exception):
    """One of the parts does not exist."""


class Refused(Exception):
    """There was an unexpected load."""


class Hearing(LocalLevel):
    """A local level that records the invalidated tags."""

    def __init__(self, *given):
        super().__init__(*given)
        self.heard = set()

    def invalidate(self, tags):
        super().invalidate(tags)
        self.heard.update(tags)


class Place:
    """The objects of one process: a local level that receives broadcasts, and a cache."""

    def __init__(self, url, clock, strategy):
        self.local = Hearing(1_000_000, clock)
        self.level = SharedLevel(url, 2000, clock)
        rules = LoadOptions(not_found=Gone, stale_if_error=True)
        self.cache = Cache(self.level, clock, local=self.local, options=rules, strategy=strategy)
        self.listener = InvalidationListener(url, self.local)
        self.listener.start()

    def close(self):
        self.listener.stop()
        self.level.close()


class Store(RuleBasedStateMachine):
    """A source whose parts carry the number of their last change; a value is the numbers of its parts."""

    places: list[Place]
    clock: ShiftedClock
    client: redis.Redis

    @initialize()
    def begin(self):
        self.client.flushdb()
        self.clock.advance(100_000)  # whatever the last round left in memory has expired
        for place in self.places:
            place.local.set_connected(connected=True)
        self.source = dict.fromkeys(TAGS, 0)
        self.history = {key: {self.value(key)} for key in KEYS}
        self.numbers = itertools.count(1)
        self.loading = []

    def value(self, key):
        parts = [self.source[tag] for tag in KEYS[key]]
        return None if ABSENT in [self.source[tag] for tag in asked(key)] else ",".join(map(str, parts)).encode()

    def load(self, key):
        value = self.value(key)
        if value is None:
            raise Gone("no")
        return TaggedValue(value, FOUND[key]) if key in FOUND else value

    def seen_from(self, place, key, load=None):
        return self.seen_through(self.places[place].cache, key, load)

    def seen_through(self, cache, key, load=None):
        load = load or (lambda: self.load(key))
        try:
            return cache.get_or_load(key, CATALOGUE, asked(key), load, finds_tags=key in FOUND)
        except Gone:
            return None

    def change(self, place, tag, value):
        self.source[tag] = value
        for key in KEYS:
            self.history[key].add(self.value(key))
        self.places[place].cache.invalidate([tag])

    def read_all(self, place, tag):
        """A value with a tag invalidated by this process must be new; the parts with other tags may be old."""
        for key in KEYS:
            seen = self.seen_from(place, key)
            assert seen == self.value(key) if tag in KEYS[key] else seen in self.history[key]

    def quiet(self):
        """Wait until every process has received every invalidation: messages arrive in order, so one more is enough.

        It is sent repeatedly, because a busy machine may lose a connection; a process drops all copies when it
        reconnects.
        """
        last = f"quiet {next(QUIET)}"  # never said before, not in an earlier example either

        def all_have_heard():
            self.places[0].level.invalidate([last])
            return all(last in place.local.heard for place in self.places)

        until(all_have_heard)

    @rule(place=places, tag=tags)
    def write_and_read_here(self, place, tag):
        self.change(place, tag, next(self.numbers))
        self.read_all(place, tag)

    @rule(place=places, tag=tags)
    def remove_and_read_here(self, place, tag):
        self.change(place, tag, ABSENT)
        self.read_all(place, tag)

    @rule(place=places, tag=tags)
    def write(self, place, tag):
        self.change(place, tag, next(self.numbers))

    @rule(place=places, key=keys)
    def read_while_others_may_not_have_heard(self, place, key):
        assert self.seen_from(place, key) in self.history[key]

    @rule(place=places, key=keys)
    def read_when_all_is_quiet(self, place, key):
        self.quiet()
        assert self.seen_from(place, key) == self.value(key)

    @rule(place=places, key=keys)
    def read_while_loading_fails(self, place, key):
        def failing():
            raise Refused

        self.quiet()
        with contextlib.suppress(Refused):
            assert self.seen_from(place, key, failing) == self.value(key)
        self.clock.advance(BACKOFF_S)

    @rule(place=places, key=keys)
    def begin_a_slow_load(self, place, key):
        if self.value(key) is not None:
            one = self.places[place]
            moment = one.local.generation()
            self.loading.append((one, key, moment, one.level.ensure_tag_versions(KEYS[key]).versions, self.value(key)))

    @rule()
    def end_the_oldest_slow_load(self):
        """Store a late fill without the check of the tag versions, as if the invalidation came just after the check."""
        if self.loading:
            one, key, moment, versions, value = self.loading.pop(0)
            until_s = self.clock.now().timestamp() + CATALOGUE.ttl_s
            one.level.write(
                key, encode(CacheEntry(value, until_s, until_s, 0.01, versions), KEYS[key]), CATALOGUE.ttl_s
            )
            one.local.put(key, value, KEYS[key], CATALOGUE.ttl_s, moment)

    @rule(place=places, other=places, key=keys, tag=tags)
    def change_it_while_it_is_loaded(self, place, other, key, tag):
        def load():
            value = self.load(key)
            self.change(other, tag, next(self.numbers))
            return value

        self.quiet()
        assert self.seen_from(place, key, load) in self.history[key]
        self.quiet()
        assert self.seen_from(place, key) == self.value(key)

    @rule(seconds=st.sampled_from([3, 6, CATALOGUE.ttl_s + 1, CATALOGUE.ttl_s + CATALOGUE.grace_s]))
    def time_passes(self, seconds):
        self.clock.advance(seconds)

    @rule(tag=tags)
    def evict_a_tag(self, tag):
        self.client.delete(f"shop:1:t:{tag}")

    @rule(key=keys)
    def evict_an_entry(self, key):
        self.client.delete(f"shop:1:e:{key}")

    @rule()
    def the_listeners_are_cut_off(self):
        for place in self.places:
            place.local.set_connected(connected=False)
            place.local.set_connected(connected=True)

    def teardown(self):
        self.quiet()
        for key in KEYS:
            found = [self.seen_from(place, key) for place in (0, 1)]
            shared = Cache(self.places[0].level, self.clock, options=LoadOptions(not_found=Gone))
            found.append(self.seen_through(shared, key))
            assert found == [self.value(key)] * 3


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [NoProtection, LockedLoad, LockWithEarlyExpiry])
def test_no_interleaving_serves_an_invalidated_value(cache_client, settings_of_store, strategy):
    clock = ShiftedClock()
    places = [Place(settings_of_store.cache_url, clock, strategy) for _ in range(2)]
    machine = type("OnThisCache", (Store,), {"places": places, "client": cache_client, "clock": clock})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
    finally:
        for place in places:
            place.close()


@pytest.fixture
def settings_of_store(request):
    return request.getfixturevalue("settings")  # the name is hypothesis' own here
