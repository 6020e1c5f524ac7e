"""Whatever the order of reads, slow loads, writes and evictions: no reader ever sees what was invalidated."""

import itertools

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from shop.clock import SystemClock
from shop.patterns.caching import CATALOGUE, Cache, SharedLevel
from shop.patterns.caching.envelope import Entry, encode

TAGS = ("a", "b", "c")
KEYS = {"k1": ("a",), "k2": ("a", "b"), "k3": ("c", "b"), "k4": ()}
keys = st.sampled_from(sorted(KEYS))
tags = st.sampled_from(TAGS)


class Store(RuleBasedStateMachine):
    """A source whose parts carry the number of their last change; a value is the numbers of its parts."""

    level: SharedLevel
    client: redis.Redis

    @initialize()
    def begin(self):
        self.client.flushdb()
        self.cache = Cache(self.level, SystemClock())
        self.source = dict.fromkeys(TAGS, 0)
        self.numbers = itertools.count(1)
        self.loading = []

    def value(self, key):
        return ",".join(str(self.source[tag]) for tag in KEYS[key]).encode()

    @rule(key=keys)
    def read(self, key):
        served = self.cache.get_or_load(key, CATALOGUE, KEYS[key], lambda: self.value(key))
        assert served == self.value(key)

    @rule(tag=tags)
    def write(self, tag):
        self.source[tag] = next(self.numbers)
        self.cache.invalidate([tag])

    @rule(key=keys)
    def begin_a_slow_load(self, key):
        self.loading.append((key, self.level.claim(KEYS[key]), self.value(key)))

    @rule()
    def end_the_oldest_slow_load(self):
        if self.loading:
            key, versions, value = self.loading.pop(0)
            expires = SystemClock().now().timestamp() + CATALOGUE.ttl_s
            self.level.write(key, encode(Entry(value, expires, versions)), CATALOGUE.ttl_s)

    @rule(tag=tags)
    def evict_a_tag(self, tag):
        self.client.delete(f"shop:1:t:{tag}")

    @rule(key=keys)
    def evict_an_entry(self, key):
        self.client.delete(f"shop:1:e:{key}")


@pytest.mark.slow
def test_no_interleaving_serves_what_was_invalidated(cache_client, settings_of_store):
    level = SharedLevel(settings_of_store.cache_url, 2000, SystemClock())
    machine = type("OnThisCache", (Store,), {"level": level, "client": cache_client})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
    finally:
        level.close()


@pytest.fixture
def settings_of_store(request):
    return request.getfixturevalue("settings")  # the name is hypothesis' own here
