"""The watchdog ends a call that takes too long, and nothing else."""

import threading
import time

import pytest

from shop.exercises.in_store import call_watchdog
from shop.exercises.in_store.call_watchdog import AttemptMisuse, CallOverdue, CallWatchdog, GuardedCall
from tests.support.polling import until

QUICK_TICK_S = 0.002


class CalledAttempt:
    """What the watchdog tells the attempt."""

    file = __file__

    def __init__(self):
        self.overdue, self.ended, self.stuck = 0, [], []

    def on_overdue(self):
        self.overdue += 1

    def on_late_end(self, call):
        self.ended.append(call)

    def on_stuck(self, call):
        self.stuck.append(call)


@pytest.fixture
def watchdog(monkeypatch):
    monkeypatch.setattr(call_watchdog, "TICK_S", QUICK_TICK_S)
    monkeypatch.setattr(call_watchdog, "STUCK_TICKS", 20)
    watchdog = CallWatchdog()
    watchdog.start()
    yield watchdog
    watchdog.stop()


@pytest.fixture
def attempt():
    return CalledAttempt()


def loop():
    while True:
        pass


def test_loop_is_ended_and_its_line_is_known(watchdog, attempt):
    with pytest.raises(CallOverdue):
        watchdog.run(GuardedCall(attempt, "loop()", 4), loop, ())
    assert attempt.overdue == 1
    (call,) = attempt.ended
    assert call.place.startswith(__file__)
    assert call.place.endswith(", in loop")
    assert not watchdog.has_calls(attempt)


def test_loop_that_begins_after_the_stop_is_ended(watchdog, attempt):
    """A request may have taken the attempt just before it was withdrawn."""
    watchdog.stop()
    with pytest.raises(CallOverdue):
        watchdog.run(GuardedCall(attempt, "loop()", 4), loop, ())


def test_call_that_ignores_the_exception_is_stuck(watchdog, attempt):
    released = threading.Event()

    def ignore():
        while not released.is_set():
            try:
                while not released.is_set():
                    pass
            except CallOverdue:
                pass

    thread = threading.Thread(target=watchdog.run, args=(GuardedCall(attempt, "ignore()", 4), ignore, ()))
    thread.start()
    until(lambda: attempt.stuck)
    released.set()
    thread.join()
    assert len(attempt.stuck) == 1
    assert attempt.ended == []  # one call is noted once


def test_time_in_the_store_does_not_count(watchdog, attempt):
    load = watchdog.wrap_store(lambda: time.sleep(20 * QUICK_TICK_S) or "loaded")
    assert watchdog.run(GuardedCall(attempt, "load()", 8), load, ()) == "loaded"
    assert attempt.overdue == 0


def test_error_of_the_store_is_known_as_such(watchdog, attempt):
    def fail():
        raise LookupError("not on sale")

    call = GuardedCall(attempt, "load()", 60_000)
    with pytest.raises(LookupError) as raised:
        watchdog.run(call, watchdog.wrap_store(fail), ())
    assert call.store_error is raised.value


@pytest.mark.parametrize(
    "mistake",
    [lambda load: load(1), lambda load: load(key="a"), lambda load: load(refuse=True)],
    ids=["extra", "unknown", "unusable"],
)
def test_call_with_wrong_arguments_is_no_error_of_the_store(mistake, watchdog, attempt):
    """An error of the store reaches the visitor; a mistake of the attempt must not."""

    def load(*, refuse=False):
        raise AttemptMisuse("no such row")

    call = GuardedCall(attempt, "load()", 60_000)
    with pytest.raises(TypeError):
        watchdog.run(call, mistake, (watchdog.wrap_store(load),))
    assert call.store_error is None


def test_type_error_in_the_store_is_its_own(watchdog, attempt):
    call = GuardedCall(attempt, "load()", 60_000)
    with pytest.raises(TypeError) as raised:
        watchdog.run(call, watchdog.wrap_store(lambda: None + 1), ())
    assert call.store_error is raised.value


def test_call_within_a_call_has_a_limit_of_its_own(watchdog, attempt):
    def inner():
        with pytest.raises(CallOverdue):
            watchdog.run(GuardedCall(attempt, "inner()", 4), loop, ())
        return watchdog.current_call

    assert watchdog.run(GuardedCall(attempt, "outer()", 60_000), watchdog.wrap_store(inner), ()) is None
    assert [call.text for call in attempt.ended] == ["inner()"]


def test_exception_never_reaches_code_after_the_call(watchdog, attempt):
    """Each call ends about when its limit is reached, so the exception comes in it, at its end, or not at all."""
    outcomes = {"returned": 0, "overdue": 0}

    def call_often():
        for number in range(150):
            pause = (2 + number % 3) * QUICK_TICK_S
            end = time.perf_counter() + pause

            def spin(end=end):
                while time.perf_counter() < end:
                    pass

            try:
                watchdog.run(GuardedCall(attempt, "spin()", 2), spin, ())
                outcome = "returned"
            except CallOverdue:
                outcome = "overdue"
            for _ in range(200):  # where an exception that came late would be raised
                outcome = str(outcome)
            outcomes[outcome] += 1

    call_often()
    assert sum(outcomes.values()) == 150
    assert outcomes["overdue"] > 0
    assert len(attempt.ended) == attempt.overdue >= outcomes["overdue"]
