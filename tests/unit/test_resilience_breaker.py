"""The breaker, on a fake clock."""

import threading

import pytest

from shop.clock import FakeClock
from shop.patterns.resilience import BreakerConfig, BreakerState, CircuitBreaker, CircuitOpen, NoBreaker
from shop.patterns.resilience.sliding_window import SlidingWindow

RULES = BreakerConfig(slow_s=1.0, min_calls=10, open_s=5.0, failure_rate=0.5, slow_rate=0.8, window_s=10.0, probes=3)


class Broke(Exception):
    """A failure of the dependency."""


class Said(Exception):
    """An expected error; the dependency is healthy."""


class Unclear(Exception):
    """An error that says nothing about the dependency."""


def is_failure(error):
    return None if isinstance(error, Unclear) else isinstance(error, Broke)


class Dependency:
    """Calls through a breaker, with the given error and duration."""

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
            self.breaker.call(work, is_failure)
        except CircuitOpen:
            return "refused"
        except (Broke, Said, Unclear):
            return "failed"
        return "ok"

    def calls(self, count, error=None, takes_s=0.0):
        return [self.call(error, takes_s) for _ in range(count)]

    def during_failing_calls(self, count, takes_s, meanwhile):
        """Run ``meanwhile`` while so many calls are in progress; they fail afterwards."""

        def work():
            if count > 1:
                self.during_failing_calls(count - 1, takes_s, meanwhile)
            else:
                meanwhile()
            self.clock.advance(takes_s)
            raise Broke

        with pytest.raises(Broke):
            self.breaker.call(work, is_failure)


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


def test_calls_outside_the_window_do_not_count(bank):
    bank.calls(9, Broke())
    bank.clock.advance(11)
    bank.calls(2, Broke())
    assert bank.breaker.state is BreakerState.CLOSED


def test_expected_errors_count_as_success_unclear_errors_not_at_all(bank):
    bank.calls(20, Unclear())
    bank.calls(5, Said())
    bank.calls(5, Broke())
    assert bank.breaker.state is BreakerState.OPEN
    assert bank.events[-1].calls == 10


def test_an_open_breaker_refuses_every_call(broken):
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
    assert broken.calls(3, Broke()) == ["failed", "failed", "refused"]  # two of three reach the rate
    broken.clock.advance(4.9)
    assert broken.call() == "refused"


def test_slow_probes_open_it_again(broken):
    broken.clock.advance(5)
    broken.calls(3, takes_s=1.0)
    assert broken.breaker.state is BreakerState.OPEN


def test_number_of_concurrent_probes_is_limited(broken):
    broken.clock.advance(5)
    inside, leave, ends = threading.Semaphore(0), threading.Event(), []

    def probe():
        def work():
            inside.release()
            leave.wait(10)

        broken.breaker.call(work, is_failure)
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


def test_an_unclear_probe_returns_its_permit(broken):
    broken.clock.advance(5)
    broken.calls(3, Unclear())
    assert broken.calls(3) == ["ok"] * 3
    assert broken.breaker.state is BreakerState.CLOSED


def test_hanging_probes_do_not_keep_it_half_open_forever(broken):
    def meanwhile():
        assert broken.call() == "refused"
        broken.clock.advance(5)
        assert broken.calls(3) == ["ok"] * 3
        assert broken.breaker.state is BreakerState.CLOSED

    broken.clock.advance(5)
    broken.during_failing_calls(3, 60.0, meanwhile)
    broken.calls(6)
    broken.calls(5, Broke())  # five of eleven: fewer than half, as the late failures do not count
    assert broken.breaker.state is BreakerState.CLOSED


def test_calls_from_before_it_opened_do_not_decide(bank):
    def meanwhile():
        bank.calls(10, Broke())
        bank.clock.advance(5)
        bank.calls(2)

    bank.during_failing_calls(1, 2.0, meanwhile)
    bank.call()
    assert bank.breaker.state is BreakerState.CLOSED


def test_a_repeated_round_of_probes_is_no_change(broken):
    def meanwhile():
        broken.clock.advance(5)
        broken.call()

    broken.clock.advance(5)
    broken.during_failing_calls(3, 0.0, meanwhile)
    assert [event.after for event in broken.events] == ["open", "half-open"]


def test_events_carry_the_reason(broken):
    (opened,) = broken.events
    assert (opened.before, opened.after, opened.calls, opened.failure_rate) == ("closed", "open", 10, 1.0)


def test_a_subscriber_may_call_the_dependency_again():
    bank = Dependency()
    states = []
    bank.breaker = CircuitBreaker("bank", RULES, bank.clock, lambda event: states.append((event.after, bank.call())))
    bank.calls(10, Broke())
    bank.clock.advance(5)
    bank.calls(2)
    assert states[:2] == [("open", "refused"), ("half-open", "ok")]


def test_without_a_breaker_every_call_is_made():
    made = [NoBreaker().call(lambda number=number: number, is_failure) for number in range(50)]
    assert made == list(range(50))


def test_a_window_expires_slice_by_slice():
    window = SlidingWindow(10.0)
    for second in range(30):
        window.add(second, failed=second < 15, slow=False)
    assert (window.totals(29).calls, window.totals(29).failures) == (10, 0)
    assert window.totals(60).calls == 0
