"""Single flight, fill waiters, the lock watchdog and the refresh worker."""

import contextlib
import os
import subprocess
import sys
import threading

import pytest

from shop.patterns.caching.lock import FillWaiters, LoadLease, LockWatchdog
from shop.patterns.caching.refresh import RefreshWorker
from shop.patterns.caching.single_flight import SingleFlight, WaitTimeout
from tests.support.polling import until


class Gate:
    """Work that begins, and ends on request."""

    def __init__(self, result="result"):
        self.began, self.may_end = threading.Event(), threading.Event()
        self.result, self.runs = result, 0

    def __call__(self):
        self.runs += 1
        self.began.set()
        assert self.may_end.wait(5)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def in_threads(count, work):
    found = []

    def run():
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001 - whatever reached the waiter
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, found


def everybody_waits(flights, name, count):
    """Return whether so many threads wait for the leader."""
    return flights.waiting(name) == count


@pytest.mark.parametrize("result", ["result", LookupError("it failed")])
def test_one_thread_works_and_all_share_its_result(result):
    flights, gate = SingleFlight(), Gate(result)
    threads, found = in_threads(8, lambda: flights.do("k", gate, 5)[0])
    assert gate.began.wait(5)
    until(lambda: everybody_waits(flights, "k", 7))
    gate.may_end.set()
    for thread in threads:
        thread.join(5)
    assert gate.runs == 1
    assert found == [result] * 8


@pytest.mark.parametrize("result", ["result", LookupError("it failed")])
def test_results_are_not_remembered(result):
    flights = SingleFlight()
    for _ in range(2):
        gate = Gate(result)
        gate.may_end.set()
        with contextlib.suppress(LookupError):
            flights.do("k", gate, 5)
        assert gate.runs == 1
    assert flights.waiting("k") is None


def test_another_name_is_another_flight():
    flights, gate = SingleFlight(), Gate()
    threads, _ = in_threads(1, lambda: flights.do("k", gate, 5))
    assert gate.began.wait(5)
    assert flights.do("l", lambda: "mine", 5) == ("mine", True)
    gate.may_end.set()
    threads[0].join(5)


@pytest.mark.parametrize("patience_s", [0, 0.01])
def test_a_waiting_thread_times_out(patience_s):
    flights, gate = SingleFlight(), Gate()
    threads, _ = in_threads(1, lambda: flights.do("k", gate, 5))
    assert gate.began.wait(5)
    with pytest.raises(WaitTimeout):
        flights.do("k", lambda: "not asked", patience_s)
    gate.may_end.set()
    threads[0].join(5)


FORKED = """
import os, sys, threading
from shop.patterns.caching.single_flight import SingleFlight
from shop.patterns.caching.lock import FillWaiters
from shop.patterns.caching.refresh import RefreshWorker
flights, waiting, refresher = SingleFlight(), FillWaiters(), RefreshWorker()
refresher.start()
waiting._lock.acquire()
began, may_end = threading.Event(), threading.Event()
thread = threading.Thread(target=lambda: flights.do("k", lambda: (began.set(), may_end.wait(9)), 5), daemon=True)
thread.start()
began.wait(5)
child = os.fork()
if child == 0:
    led = flights.do("k", lambda: "the child's", 0) == ("the child's", True)
    waiting.set_connected(connected=True)
    os._exit(0 if led and not refresher.submit("k", print) else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
may_end.set()
sys.exit(code)
"""


def test_a_forked_child_waits_for_no_thread_of_its_parent():
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], env=dict(os.environ), timeout=20, check=False
    )
    assert found.returncode == 0


def test_a_notification_before_the_wait_is_not_lost():
    waiting = FillWaiters()
    with waiting.subscribe("k") as woken, waiting.subscribe("l") as asleep:
        waiting.notify("k")
        assert woken.wait(0)
        assert not asleep.is_set()
    assert waiting.awaited_loads == 0


def test_waiters_wake_when_broadcasts_stop_and_return():
    waiting = FillWaiters()
    deaf_s = waiting.recheck_s
    with waiting.subscribe("k") as woken:
        waiting.set_connected(connected=True)
        assert woken.is_set()
        assert waiting.recheck_s > deaf_s


def test_a_lock_is_extended_only_during_its_load():
    watchdog, extended = LockWatchdog(every_s=0.01), []
    lease = LoadLease("k")
    with watchdog.extending(lease, lambda held: extended.append(held) or True):
        until(lambda: len(extended) >= 3)
    assert set(extended) == {lease}
    until(lambda: not watchdog.is_running)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_watchdog_restarts_with_the_next_lock():
    watchdog, extended = LockWatchdog(every_s=0.01), []
    with watchdog.extending(LoadLease("k"), lambda held: {}["a defect"]):
        until(lambda: not watchdog.is_running)
    with watchdog.extending(LoadLease("l"), lambda held: extended.append(held) or True):
        until(lambda: extended)


def test_a_lost_lock_is_no_longer_extended():
    watchdog, extended = LockWatchdog(every_s=0.01), []
    with watchdog.extending(LoadLease("k"), lambda held: bool(extended.append(held))):
        until(lambda: watchdog.held_locks == 0)
    assert len(extended) == 1


def test_the_refresh_queue_is_bounded_with_each_key_once():
    refresher, gate, done = RefreshWorker(limit=2), Gate(), []
    refresher.start()
    assert refresher.submit("under way", gate)
    assert gate.began.wait(5)
    offered = [refresher.submit(key, lambda key=key: done.append(key)) for key in ("a", "a", "b", "c")]
    assert offered == [True, True, True, False]
    gate.may_end.set()
    until(lambda: done == ["a", "b"])
    refresher.stop()


def test_a_refresh_that_fails_does_not_stop_the_next():
    refresher, done = RefreshWorker(), []
    refresher.start()
    refresher.submit("a", lambda: 1 / 0)
    refresher.submit("b", lambda: done.append("b"))
    until(lambda: done == ["b"])
    refresher.stop()


def test_stop_drops_waiting_refreshes_and_ends_the_thread():
    before, refresher, gate, done = set(threading.enumerate()), RefreshWorker(), Gate(), []
    refresher.start()
    refresher.submit("under way", gate)
    assert gate.began.wait(5)
    refresher.submit("waits", lambda: done.append("waits"))
    assert not refresher.stop(timeout_s=0)
    gate.may_end.set()
    until(lambda: set(threading.enumerate()) <= before)
    assert done == []
    assert not refresher.submit("late", print)


def test_an_extension_after_the_release_reports_no_loss():
    asked, given_back, told = threading.Event(), threading.Event(), []

    def late(lease):
        asked.set()
        given_back.wait(5)
        return False

    watchdog = LockWatchdog(0.01)
    with watchdog.extending(LoadLease("k"), late, lambda: told.append("lost")):
        assert asked.wait(5)
    given_back.set()
    with watchdog.extending(LoadLease("l"), lambda lease: False, lambda: told.append("another")):
        until(lambda: told)  # the one thread has come back from the first
    assert told == ["another"]
