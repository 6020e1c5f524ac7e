"""The local level: bounded, short-lived copies that end with an invalidation."""

import os
import subprocess
import sys
import threading

import pytest

from shop.clock import FakeClock
from shop.patterns.caching import InvalidateOnlyLocal, LocalLevel
from shop.patterns.caching.local import OVERHEAD_BYTES, TTL_S

ROOM_FOR_THREE = 3 * (OVERHEAD_BYTES + 100)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def local(clock):
    local = LocalLevel(ROOM_FOR_THREE, clock)
    local.set_connected(connected=True)
    return local


def keep(local, key, tags=(), ttl_s=60.0, size=90):
    return local.put(key, b"v" * size, tags, ttl_s, local.generation())


def held(local, *keys):
    return [key for key in keys if local.get(key) is not None]


def test_the_least_useful_copy_is_evicted(local):
    for key in ("a", "b", "c"):
        keep(local, key)
    local.get("a")
    keep(local, "d")
    assert held(local, "a", "b", "c", "d") == ["a", "c", "d"]


def test_it_is_bounded_by_bytes_not_by_number(local):
    for key in ("a", "b", "c"):
        keep(local, key)
    keep(local, "large", size=2 * (OVERHEAD_BYTES + 90))
    assert held(local, "a", "b", "c", "large") == ["large"]


def test_a_value_over_the_limit_evicts_nothing(local):
    keep(local, "a")
    assert not keep(local, "large", size=ROOM_FOR_THREE)
    assert held(local, "a", "large") == ["a"]


def test_storing_a_key_again_counts_its_bytes_once(local):
    keep(local, "a")
    for _ in range(10):
        keep(local, "b")
    keep(local, "c")
    assert held(local, "a", "b", "c") == ["a", "b", "c"]


def test_a_copy_ends_after_its_short_time(local, clock):
    keep(local, "a", ttl_s=3600)
    clock.advance(TTL_S - 0.1)
    assert held(local, "a") == ["a"]
    clock.advance(0.1)
    assert held(local, "a") == []


def test_a_copy_never_outlives_its_entry(local, clock):
    keep(local, "a", ttl_s=1.0)
    clock.advance(1.0)
    assert held(local, "a") == []
    assert not keep(local, "b", ttl_s=0.0)


def test_invalidation_drops_exactly_the_copies_with_the_tag(local):
    keep(local, "a", ["x"])
    keep(local, "b", ["y", "x"])
    keep(local, "c", ["y"])
    local.invalidate(["x", "unheard of"])
    assert held(local, "a", "b", "c") == ["c"]
    local.invalidate(["y"])
    assert held(local, "c") == []


def test_expired_and_evicted_copies_leave_no_tags(local, clock):
    for number in range(1000):
        keep(local, f"k{number}", [f"t{number}", "all"])
    assert len(local.tags) == 4  # three copies, and the tag they share
    clock.advance(TTL_S)
    assert held(local, *(f"k{number}" for number in range(1000))) == []
    assert local.tags == frozenset()


def test_a_value_read_before_an_invalidation_is_rejected(local):
    moment = local.generation()
    local.invalidate(["x"])
    assert not local.put("a", b"old", ["x"], 60, moment)
    assert local.get("a") is None


def test_a_copy_ages_from_before_its_read(local, clock):
    """A disconnected process serves a copy only for a bounded time after its read; the edge's purger relies on this."""
    moment = local.generation()
    clock.advance(TTL_S - 1)
    assert local.put("a", b"v", [], 60, moment)
    clock.advance(0.9)
    assert held(local, "a") == ["a"]
    clock.advance(0.1)
    assert held(local, "a") == []
    assert not local.put("b", b"v", [], 60, moment)


def test_without_broadcasts_no_copy_is_served_or_stored(local):
    keep(local, "a")
    moment = local.generation()
    local.set_connected(connected=False)
    assert local.generation() is None
    assert not local.put("b", b"v", [], 60, moment)
    assert held(local, "a", "b") == []


def test_a_value_read_before_the_reconnection_is_rejected(local):
    moment = local.generation()
    local.set_connected(connected=False)
    local.set_connected(connected=True)
    assert not local.put("a", b"old", [], 60, moment)
    keep(local, "b")
    local.set_connected(connected=True)
    assert held(local, "a", "b") == []


def test_a_switched_off_level_serves_nothing_and_invalidates(local):
    keep(local, "a", ["x"])
    off = InvalidateOnlyLocal(local)
    assert off.get("a") is None
    assert off.generation() is None
    off.invalidate(["x"])
    assert local.get("a") is None


def test_concurrent_threads_keep_the_sizes_consistent(local):
    failed = []

    def work(seed):
        try:
            for number in range(2000):
                key = f"k{(number * seed) % 7}"
                generation = local.generation()
                if local.get(key) is None:
                    local.put(key, b"v" * 90, [f"t{seed}", "all"], 60, generation)
                if number % 50 == 0:
                    local.invalidate(["all" if seed % 2 else f"t{seed}"])
        except Exception as error:  # noqa: BLE001 - a thread's failure must reach the test
            failed.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    copies = [copy for number in range(7) if (copy := local.get(f"k{number}"))]
    assert (local.size.copies, local.size.bytes) == (len(copies), sum(copy.size for copy in copies))
    assert local.size.bytes <= ROOM_FOR_THREE
    assert local.tags == {tag for copy in copies for tag in copy.tags}


FORKED = """
import os, sys
from shop.clock import FakeClock
from shop.patterns.caching import LocalLevel
local = LocalLevel(10_000, FakeClock())
local.set_connected(connected=True)
local.put("a", b"v", [], 60, local.generation())
local._lock.acquire()  # by a thread that does not come along
child = os.fork()
if child == 0:
    os._exit(0 if local.get("a") is None and local.generation() is None else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_starts_empty_and_disconnected():
    found = subprocess.run([sys.executable, "-c", FORKED], env=dict(os.environ), timeout=20, check=False)
    assert found.returncode == 0
