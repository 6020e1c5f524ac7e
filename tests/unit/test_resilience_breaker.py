"""The breaker, with a clock that is moved by hand."""

import threading

import pytest

from shop.clock import FakeClock
from shop.patterns.resilience import BreakerConfig, BreakerState, CircuitBreaker, CircuitOpen, NoBreaker
from shop.patterns.resilience.window import SlidingWindow

RULES = BreakerConfig(slow_s=1.0, min_calls=10, open_s=5.0, failure_rate=0.5, slow_rate=0.8, window_s=10.0, probes=3)


class Broke(Exception):
    """The dependency's fault."""


class Said(Exception):
    """An answer in the shape of an error; the dependency is well."""


class Unclear(Exception):
    """Says nothing about the dependency."""


def judge(error):
    return None if isinstance(error, Unclear) else isinstance(error, Broke)


class Dependency:
    """Calls through a breaker, which end as told after as long as told."""

    def __init__(self):
        self.clock = FakeClock()
        self.events = []
        self.breaker = CircuitBreaker("bank", RULES, self.clock, self.events.append)
        self.reached = 0

    def call(self, error=None, takes_s=0.0):
        def work():
            self.reached += 1
            self.clock.advance(takes_s)
            if error:
                raise error

        try:
            self.breaker.call(work, judge)
        except CircuitOpen:
            return "refused"
        except (Broke, Said, Unclear):
            return "failed"
        return "ok"

    def calls(self, count, error=None, takes_s=0.0):
        return [self.call(error, takes_s) for _ in range(count)]


@pytest.fixture
def bank():
    return Dependency()


@pytest.fixture
def broken(bank):
    """A breaker that has just opened."""
    bank.calls(10, Broke())
    assert bank.breaker.state is BreakerState.OPEN
    return bank


def test_half_of_the_calls_failing_opens_it(bank):
    bank.calls(5)
    bank.calls(4, Broke())
    assert bank.breaker.state is BreakerState.CLOSED
    bank.call(Broke())
    assert bank.breaker.state is BreakerState.OPEN


def test_fewer_calls_than_the_minimum_open_nothing(bank):
    bank.calls(9, Broke())
    assert bank.breaker.state is BreakerState.CLOSED


def test_a_rate_decides_not_a_count(bank):
    for _ in range(30):
        bank.calls(2)
        bank.call(Broke())
    assert bank.breaker.state is BreakerState.CLOSED


def test_slow_calls_open_it_even_though_each_succeeds(bank):
    assert bank.calls(10, takes_s=1.0) == ["ok"] * 10
    assert bank.call() == "refused"


def test_what_left_the_window_no_longer_counts(bank):
    bank.calls(9, Broke())
    bank.clock.advance(11)
    bank.calls(2, Broke())
    assert bank.breaker.state is BreakerState.CLOSED


def test_an_error_that_is_an_answer_counts_as_well_and_an_unclear_one_not_at_all(bank):
    bank.calls(20, Unclear())
    bank.calls(5, Said())
    bank.calls(5, Broke())
    assert bank.breaker.state is BreakerState.OPEN
    assert bank.events[-1].calls == 10


def test_an_open_breaker_lets_nothing_through(broken):
    reached = broken.reached
    assert broken.calls(5) == ["refused"] * 5
    assert broken.reached == reached


def test_after_its_pause_good_probes_close_it(broken):
    broken.clock.advance(5)
    assert broken.calls(2) == ["ok", "ok"]
    assert broken.breaker.state is BreakerState.HALF_OPEN
    broken.call()
    assert broken.breaker.state is BreakerState.CLOSED


def test_after_its_pause_bad_probes_open_it_again(broken):
    broken.clock.advance(5)
    assert broken.calls(3, Broke()) == ["failed", "failed", "refused"]  # two of three are half, so it is decided
    broken.clock.advance(4.9)
    assert broken.call() == "refused"


def test_slow_probes_open_it_again(broken):
    broken.clock.advance(5)
    broken.calls(3, takes_s=1.0)
    assert broken.breaker.state is BreakerState.OPEN


def test_only_so_many_probes_are_on_their_way_at_once(broken):
    broken.clock.advance(5)
    inside, leave, ends = threading.Semaphore(0), threading.Event(), []

    def probe():
        def work():
            inside.release()
            leave.wait(10)

        broken.breaker.call(work, judge)
        ends.append("ok")

    probes = [threading.Thread(target=probe) for _ in range(RULES.probes)]
    for thread in probes:
        thread.start()
    for _ in probes:
        assert inside.acquire(timeout=10)
    assert broken.call() == "refused"
    leave.set()
    for thread in probes:
        thread.join(10)
    assert (ends, broken.breaker.state) == (["ok"] * 3, BreakerState.CLOSED)


def test_a_probe_that_says_nothing_makes_room_for_another(broken):
    broken.clock.advance(5)
    broken.calls(3, Unclear())
    assert broken.calls(3) == ["ok"] * 3
    assert broken.breaker.state is BreakerState.CLOSED


def test_probes_that_never_come_back_do_not_keep_it_half_open_for_ever(broken):
    broken.clock.advance(5)
    lost = [broken.breaker._admit() for _ in range(3)]
    assert broken.call() == "refused"
    broken.clock.advance(5)
    assert broken.calls(3) == ["ok"] * 3
    assert broken.breaker.state is BreakerState.CLOSED
    for era in lost:  # they come back after all: judged by nobody
        broken.breaker._ended(era, 60.0, failed=True)
    assert broken.breaker._window.totals(broken.clock.monotonic()).calls == 0


def test_a_call_that_began_before_it_opened_does_not_decide_the_probes(bank):
    era = bank.breaker._admit()
    bank.calls(10, Broke())
    bank.clock.advance(5)
    bank.calls(2)
    bank.breaker._ended(era, 9.0, failed=True)
    bank.call()
    assert bank.breaker.state is BreakerState.CLOSED


def test_it_says_why_it_changed_and_a_listener_may_call_in_again(broken):
    (opened,) = broken.events
    assert (opened.before, opened.after, opened.calls, opened.failure_rate) == ("closed", "open", 10, 1.0)
    states = []
    broken.breaker._emit = lambda event: states.append((event.after, broken.call()))
    broken.clock.advance(5)
    broken.calls(2)
    assert states[0][0] == "half-open"


def test_without_a_breaker_every_call_is_made():
    made = [NoBreaker().call(lambda number=number: number, judge) for number in range(50)]
    assert made == list(range(50))


def test_a_window_forgets_slice_by_slice():
    window = SlidingWindow(10.0)
    for second in range(30):
        window.add(second, failed=second < 15, slow=False)
    assert (window.totals(29).calls, window.totals(29).failures) == (10, 0)
    assert window.totals(60).calls == 0
