"""Stampedes of real processes on a real Valkey: one loads, the others wait, and the loading process may die."""

import itertools
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from shop.clock import SystemClock
from shop.patterns.caching import (
    CATALOGUE,
    Cache,
    LoadOptions,
    LockedLoad,
    LockWithEarlyExpiry,
    SharedLevel,
    StampedeState,
    lock,
)
from shop.patterns.caching.cold_fill_limit import ColdFillLimit
from shop.patterns.caching.entry import CacheEntry, encode
from shop.patterns.caching.events import FillAwaited, LoadFinished, LockLost, LookupFinished
from shop.patterns.caching.load_options import LoadFailed
from shop.patterns.caching.loader import VALUE_LIMIT_BYTES
from shop.patterns.caching.lock import LoadLease
from tests.support.cache_processes import CacheProcess, Gate
from tests.support.polling import until
from tests.support.shifted_clock import ShiftedClock

PROCESSES, THREADS = 4, 10
EVERYBODY = PROCESSES * THREADS


@pytest.fixture
def gate(cache_client):
    return Gate(cache_client)


@pytest.fixture
def start(settings, gate):
    started = []

    def begin(count=1, **options):
        more = [CacheProcess(str(settings.cache_url), **options) for _ in range(count)]
        started.extend(more)
        return [process.ready() for process in more]

    yield begin
    for process in started:
        process.close()


@pytest.fixture
def level(settings, cache_client):
    level = SharedLevel(settings.cache_url, 2000, SystemClock())
    yield level
    level.close()


def plant(level, value, fresh_s, tags=("a",), load_s=0.01):
    """Store an entry as if it had been loaded some time ago."""
    now = SystemClock().now().timestamp()
    level.write(
        "k",
        encode(CacheEntry(value, now + fresh_s, now + 600, load_s, level.ensure_tag_versions(tags).versions), tags),
        600,
    )


def all_ask(processes, gate):
    """Let every process request the key, open the gate when all wait, and return the results."""
    for process in processes:
        process.do("ask", threads=THREADS)
    gate.until_asked(EVERYBODY)
    gate.until_loading()
    gate.open()
    return [process.told() for process in processes]


@pytest.mark.parametrize("strategy", ["lock", "lock+early"])
@pytest.mark.parametrize("listening", [True, False], ids=["heard", "broadcasts lost"])
def test_a_cold_key_is_loaded_once_in_all_processes(start, gate, strategy, listening):
    processes = start(PROCESSES, strategy=strategy, listening=listening)
    gate.holds("one")
    told = all_ask(processes, gate)
    assert gate.loads == 1
    assert [got for one in told for got in one["got"]] == ["one"] * EVERYBODY
    assert sum(one["gave_up"] for one in told) == 0


def test_an_invalidated_key_is_loaded_once_without_stale_answers(start, gate, level):
    processes = start(PROCESSES)
    plant(level, b"old", fresh_s=60)
    level.invalidate(["a"])
    gate.holds("new")
    told = all_ask(processes, gate)
    assert gate.loads == 1
    assert [got for one in told for got in one["got"]] == ["new"] * EVERYBODY


def test_readers_of_an_expired_key_get_the_stale_value(start, gate, level):
    processes = start(PROCESSES)
    plant(level, b"old", fresh_s=-1)
    gate.holds("new")
    for process in processes:
        process.do("ask", threads=THREADS)
    gate.until_loading()
    (late,) = start(1)
    late.do("ask", threads=THREADS)
    assert late.told()["got"] == ["old"] * THREADS  # the loader still stands at the gate
    gate.open()
    got = [got for process in processes for got in process.told()["got"]]
    assert gate.loads == 1
    assert sorted(got) == ["new"] + ["old"] * (EVERYBODY - 1)


def test_entries_beyond_stale_while_revalidate_are_not_served(start, gate, level):
    processes = start(PROCESSES, grace_s=60)
    plant(level, b"old", fresh_s=-61)  # kept for longer, for an outage
    gate.holds("new")
    told = all_ask(processes, gate)
    assert gate.loads == 1
    assert [got for one in told for got in one["got"]] == ["new"] * EVERYBODY


@pytest.mark.parametrize("strategy", ["none", "early"])
def test_without_a_lock_every_reader_loads_a_cold_key(start, gate, strategy):
    processes = start(PROCESSES, strategy=strategy)
    gate.holds("one")
    for process in processes:
        process.do("ask", threads=THREADS)
    gate.until_loading(EVERYBODY)
    gate.open()
    for process in processes:
        process.told()
    assert gate.loads == EVERYBODY


def test_a_killed_holder_blocks_others_only_until_its_lock_expires(start, gate):
    (holder,), waiters = start(1), start(2)
    gate.holds("one")
    holder.do("ask")
    gate.until_loading()
    for waiter in waiters:
        waiter.do("ask", threads=THREADS)
    gate.until_asked(1 + 2 * THREADS)
    holder.kill()
    killed = time.monotonic()
    gate.until_loading(2)
    assert time.monotonic() - killed < lock.TTL_S + 5  # far from their patience, whatever the machine is doing
    gate.open()
    told = [waiter.told() for waiter in waiters]
    assert gate.loads == 2
    assert [got for one in told for got in one["got"]] == ["one"] * 2 * THREADS
    assert sum(one["gave_up"] for one in told) == 0


def test_a_slow_load_keeps_its_lock(start, gate, cache_client):
    (holder, waiter) = start(2, watch_s=0.1)  # a process that stands still for most of the lock's time does not lose it
    gate.holds("one")
    holder.do("ask")
    gate.until_loading()
    taken = time.monotonic()
    waiter.do("ask")
    seen = []

    def outlives_its_time():
        seen.append(sum(cache_client.pttl(key) for key in cache_client.scan_iter("shop:1:l:*")))
        extended = sum(later > earlier for earlier, later in itertools.pairwise(seen))
        return extended >= 3 and time.monotonic() - taken > lock.TTL_S

    until(outlives_its_time)
    gate.open()
    assert holder.told()["locks_lost"] == 0
    assert waiter.told()["got"] == ["one"]
    assert gate.loads == 1


def test_the_lock_of_another_holder_is_neither_released_nor_extended(level, cache_client):
    mine, theirs = LoadLease("k:1"), LoadLease("k:1")
    assert level.acquire_and_read("k", [], mine)[0]
    cache_client.delete("shop:1:l:k:1")  # it ran out
    assert level.acquire_and_read("k", [], theirs)[0]
    level.release(mine)
    assert not level.extend(mine)
    assert cache_client.get("shop:1:l:k:1").decode() == theirs.token
    level.release(theirs)
    assert not cache_client.exists("shop:1:l:k:1")


def test_a_lock_taken_by_a_repeated_packet_is_the_callers(level):
    lease = LoadLease("k:1")
    assert level.acquire_and_read("k", [], lease)[0]
    assert level.acquire_and_read("k", [], lease)[0]
    assert not level.acquire_and_read("k", [], LoadLease("k:1"))[0]


def test_losing_the_lock_is_reported_and_value_is_kept(settings, cache_client):
    seen = []
    level = SharedLevel(settings.cache_url, 2000, SystemClock(), seen.append)
    meeting = StampedeState(watchdog=lock.LockWatchdog(0.05))
    cache = Cache(level, SystemClock(), seen.append, strategy=partial(LockedLoad, state=meeting))

    def load():
        cache_client.delete(*cache_client.keys("shop:1:l:*"))
        until(lambda: any(isinstance(event, LockLost) for event in seen))
        return b"one"

    assert cache.get_or_load("k", CATALOGUE, ["a"], load) == b"one"
    assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"not asked") == b"one"
    level.close()


def test_after_the_longest_wait_each_process_loads_once(start, gate):
    (holder,), (waiter,) = start(1), start(1, max_wait_s=0.3)
    gate.holds("one")
    holder.do("ask")
    gate.until_loading()
    waiter.do("ask", threads=THREADS)
    gate.until_loading(2)
    gate.open()
    told = waiter.told()
    assert told["got"] == ["one"] * THREADS
    assert told["why"] == ["wait_timeout"]
    assert told["gave_up"] >= 1
    assert gate.loads == 2


def test_a_failure_is_shared_only_with_waiting_threads(start, gate):
    processes = start(2)
    gate.holds("failing")
    for process in processes:
        process.do("ask", threads=THREADS)
    gate.until_asked(2 * THREADS)
    gate.until_loading()
    gate.open()
    told = [process.told() for process in processes]
    assert {got for one in told for got in one["got"]} <= {"error: the load failed", "error: "}
    assert gate.loads <= 2  # the other process waits for it, or has come too late to
    before = gate.loads
    processes[0].do("ask")
    assert processes[0].told()["got"] == ["error: the load failed"]
    assert gate.loads == before + 1


class AnotherProcess:
    """The objects of another process: a level and a stampede state. It reports when it waits for another's load."""

    def __init__(self, url):
        self.waits = threading.Event()
        self.level = SharedLevel(url, 2000, SystemClock())
        self._acquire, self.level.acquire_and_read = self.level.acquire_and_read, self._watched
        self.events = []
        strategy = partial(LockedLoad, state=StampedeState(max_wait_s=60))
        self.cache = Cache(self.level, SystemClock(), self.events.append, strategy=strategy)
        self.came_to = []

    def _watched(self, *asked):
        attempt = self._acquire(*asked)
        if not attempt.acquired:
            self.waits.set()
        return attempt

    def ask(self, load):
        def run():
            try:
                self.came_to.append(self.cache.get_or_load("k", CATALOGUE, ["a"], load))
            except (RuntimeError, TimeoutError) as error:
                self.came_to.append(error)

        self.thread = threading.Thread(target=run)
        self.thread.start()


@pytest.fixture
def others(settings, cache_client):
    processes = [AnotherProcess(settings.cache_url) for _ in range(3)]
    yield processes
    for process in processes:
        process.thread.join(20)
        process.level.close()


def in_vain(others, ends, load):
    """Let the first process load until the others wait, end the load, and return all results."""
    began, may_end = threading.Event(), threading.Event()

    def first():
        began.set()
        assert may_end.wait(20)
        return ends()

    others[0].ask(first)
    assert began.wait(20)
    for other in others[1:]:
        other.ask(load)
        assert other.waits.wait(20)
    may_end.set()
    for process in others:
        process.thread.join(20)
    return [process.came_to[0] for process in others]


def test_waiting_processes_share_a_failed_load(others):
    """A database that hangs answers each of them after three seconds: the last of twenty would wait for a minute."""
    loads = []

    def fail():
        loads.append("")
        raise RuntimeError("it failed")

    assert [type(end) for end in in_vain(others, fail, fail)] == [RuntimeError, LoadFailed, LoadFailed]
    assert len(loads) == 1
    others[0].ask(lambda: b"it is back")
    others[0].thread.join(20)
    assert others[0].came_to[-1] == b"it is back"  # at once: a failure is shared by those who waited for it alone


def test_waiting_processes_load_in_parallel_if_nothing_was_stored(others):
    too_large, together = b"v" * (VALUE_LIMIT_BYTES + 1), threading.Barrier(2)

    def load():
        together.wait(20)  # breaks if one waits for the other
        return too_large

    assert in_vain(others, lambda: too_large, load) == [too_large] * 3
    waits = [event.ended for other in others for event in other.events if isinstance(event, FillAwaited)]
    assert waits == ["in-vain"] * 2, "their patience has not ended"


def test_a_failure_of_one_caller_is_not_shared(others):
    def late():
        raise TimeoutError("her own deadline has passed")

    rules = LoadOptions(is_caller_error=lambda error: isinstance(error, TimeoutError))
    others[0].cache = Cache(others[0].level, SystemClock(), options=rules)
    assert in_vain(others, late, lambda: b"for the others")[1:] == [b"for the others"] * 2


def test_a_reader_joins_no_load_from_before_an_invalidation(level):
    cache = Cache(level, SystemClock())
    began, may_end = threading.Event(), threading.Event()
    got = []

    def slow():
        began.set()
        assert may_end.wait(10)
        return b"old"

    first = threading.Thread(target=lambda: got.append(cache.get_or_load("k", CATALOGUE, ["a"], slow)))
    first.start()
    assert began.wait(5)
    cache.invalidate(["a"])
    assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"new") == b"new"
    may_end.set()
    first.join(5)
    assert got == [b"old"]  # it asked before
    assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"not asked") == b"new"  # nor is it pushed out by it


def test_waiting_readers_load_again_after_an_invalidation(start, gate, level):
    holder, waiter = start(2)
    gate.holds("old")
    holder.do("ask")
    gate.until_loading()
    waiter.do("ask")
    gate.until_asked(2)
    gate._client.set("source", "new")
    level.invalidate(["a"])
    gate.until_loading(2)  # the first still stands at the gate
    gate.open()
    assert waiter.told()["got"] == ["new"]
    assert holder.told()["got"] == ["old"]


def test_one_reader_refreshes_early_and_others_are_served(level):
    seen = []
    cache = Cache(level, SystemClock(), seen.append, strategy=LockWithEarlyExpiry)
    plant(level, b"old", fresh_s=60, load_s=1e6)  # so costly that every reader wants to refresh it
    began, may_end = threading.Event(), threading.Event()

    def slow():
        began.set()
        assert may_end.wait(10)
        return b"new"

    refresher = threading.Thread(target=lambda: cache.get_or_load("k", CATALOGUE, ["a"], slow))
    refresher.start()
    assert began.wait(5)
    assert [cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"not asked") for _ in range(5)] == [b"old"] * 5
    may_end.set()
    refresher.join(5)
    assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"not asked") == b"new"
    assert [event.why for event in seen if isinstance(event, LoadFinished)] == ["early"]
    assert [event.detail for event in seen if isinstance(event, LookupFinished)].count("early") == 1


@pytest.mark.parametrize("finds_tags", [False, True])
def test_entry_that_expires_during_its_refresh_is_loaded_once(level, finds_tags):
    clock, seen = ShiftedClock(), []
    refreshing, reading = (
        Cache(level, clock, seen.append, strategy=partial(LockWithEarlyExpiry, state=StampedeState(), draw=lambda: 0.5))
        for _ in range(2)
    )
    plant(level, b"old", fresh_s=60, load_s=1e6)
    began, may_end = threading.Event(), threading.Event()

    def slow():
        began.set()
        assert may_end.wait(10)
        return b"new"

    def look_up(cache, load=lambda: b"loaded again"):
        return cache.get_or_load("k", CATALOGUE, ["a"], load, finds_tags=finds_tags)

    refresher = threading.Thread(target=look_up, args=(refreshing, slow))
    refresher.start()
    assert began.wait(5)
    clock.advance(61)
    assert look_up(reading) == b"old"  # stale while it is loaded
    may_end.set()
    refresher.join(5)
    assert look_up(reading) == b"new"
    assert [event.why for event in seen if isinstance(event, LoadFinished)] == ["early"]


def test_a_failed_early_refresh_keeps_the_entry(level):
    cache = Cache(level, SystemClock(), strategy=LockWithEarlyExpiry)
    plant(level, b"old", fresh_s=60, load_s=1e6)

    def failing():
        raise RuntimeError("the database is away")

    assert [cache.get_or_load("k", CATALOGUE, ["a"], failing) for _ in range(3)] == [b"old"] * 3


def test_threads_share_a_load_while_the_level_is_down(settings, cache_client):
    from shop.patterns.caching import LocalLevel

    clock, seen = SystemClock(), []
    level = SharedLevel(settings.cache_url, 2000, clock)
    level.client.breaker.record_failure()
    cache = Cache(level, clock, seen.append, LocalLevel(1_000_000, clock))
    began, may_end, loads = threading.Event(), threading.Event(), []

    def slow():
        loads.append(1)
        began.set()
        assert may_end.wait(10)
        return b"one"

    threads = [threading.Thread(target=lambda: cache.get_or_load("k", CATALOGUE, ["a"], slow)) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert began.wait(5)
    until(lambda: sum(isinstance(event, LookupFinished) and event.outcome == "bypass" for event in seen) >= 8)
    may_end.set()
    for thread in threads:
        thread.join(5)
    assert len(loads) == 1
    assert sum(isinstance(event, FillAwaited) for event in seen) == 7
    level.close()


FORKED = """
import os, sys
from shop.clock import SystemClock
from shop.patterns.caching import SharedLevel
from shop.patterns.caching.entry import CacheEntry, encode
level = SharedLevel(sys.argv[1], 2000, SystemClock())
for key in ("parent", "child"):
    level.write(key, encode(CacheEntry(key.encode(), 9e9, 9e9, 0.0, ())), 60)

def reads_its_own(key):
    return all(level.read(key, ()).stored.endswith(key.encode()) for _ in range(1000))

level.add_refused(["a"])  # an invalidation the parent has to make up for
child = os.fork()
if child == 0:
    os._exit(0 if not level.pending_invalidations and reads_its_own("child") else 1)
mine = reads_its_own("parent")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not mine)
"""


def test_a_forked_child_uses_its_own_connections(settings, cache_client):
    found = subprocess.run([sys.executable, "-c", FORKED, str(settings.cache_url)], timeout=30, check=False)
    assert found.returncode == 0


def test_an_entry_refreshed_by_another_process_is_not_due(level):
    plant(level, b"old", fresh_s=1, load_s=1.0)
    draws = iter([1e-9])  # due for certain
    cache = Cache(level, SystemClock(), strategy=partial(LockWithEarlyExpiry, draw=lambda: next(draws, 1.0)))
    assert cache.peek("k", CATALOGUE, ["a"]) is None
    plant(level, b"renewed", fresh_s=60)
    assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"renewed again") == b"renewed"


def test_a_peek_leaves_a_due_refresh_to_the_next_lookup(level):
    plant(level, b"old", fresh_s=1, load_s=1.0)
    draws = iter([1e-9, 1.0])  # due for certain; then, were it drawn again, not due at all
    cache = Cache(level, SystemClock(), strategy=partial(LockWithEarlyExpiry, draw=lambda: next(draws, 1.0)))
    assert cache.peek("k", CATALOGUE, ["a"]) is None
    assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"new") == b"new"
    assert cache.peek("k", CATALOGUE, ["a"]).value == b"new"


def test_peek_serves_only_fresh_entries(level):
    cache = Cache(level, SystemClock())
    assert cache.peek("k", CATALOGUE, ["a"]) is None
    plant(level, b"one", fresh_s=60)
    assert cache.peek("k", CATALOGUE, ["a"]).value == b"one"
    cache.invalidate(["a"])
    assert cache.peek("k", CATALOGUE, ["a"]) is None
    plant(level, b"two", fresh_s=-1)
    assert cache.peek("k", CATALOGUE, ["a"]) is None


@pytest.mark.parametrize("strategy", [LockedLoad, LockWithEarlyExpiry])
@pytest.mark.parametrize("is_known", [True, False], ids=["an old value", "no value"])
def test_a_miss_without_a_place_never_loads(level, strategy, is_known):
    state = StampedeState(fill_limit=ColdFillLimit(places=1, max_wait_s=0.05))
    options = LoadOptions(stale_if_error=True)
    cache = Cache(level, SystemClock(), options=options, strategy=partial(strategy, state=state))
    if is_known:
        plant(level, b"old", fresh_s=-301)  # after its stale-while-revalidate time
    began, may_end = threading.Event(), threading.Event()

    def hang():
        began.set()
        assert may_end.wait(5)
        return b"other"

    thread = threading.Thread(target=lambda: cache.get_or_load("another", CATALOGUE, ["a"], hang))
    thread.start()
    assert began.wait(5)
    try:
        if is_known:
            assert cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"new") == b"old"
        else:
            with pytest.raises(LoadFailed):
                cache.get_or_load("k", CATALOGUE, ["a"], lambda: b"new")
    finally:
        may_end.set()
        thread.join()
