"""Checks of the exercise ``circuit-breaker``: a breaker on a clock of the check, with calls whose outcome is decided.

A right breaker may count in slices of a tenth of the window, may close or stay half-open while one of three trials has
failed, and may open again at the first failed trial or when all have ended: the checks judge what all of these share.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten
from shop.exercises.interfaces.circuit_breaker import BreakerLimits
from shop.patterns.resilience import CircuitOpen

MAX_WAIT_S = 0.6
"""Seconds in which each trial must have begun: below the time after which the check ends the process."""
CLOSED = "it should have been closed"
LOOK_CLOSED = "Fewer than half of the calls in the window have failed, or fewer than 10 calls lie in it."
LOOK_TRIAL = "The pause is over: the next call is a trial."
Outcome = Literal["made", "refused"]


class ProviderDown(Exception):
    """The dependency failed."""


class DeclinedCard(Exception):
    """The dependency is well, and its answer is no."""


def is_failure(error: Exception) -> bool:
    """Return whether an exception is a failure of the dependency."""
    return isinstance(error, ProviderDown)


@dataclass(frozen=True)
class CallResult:
    """How a call through the breaker ended."""

    value: Any = None
    error: BaseException | None = None
    made: int = 0
    """How often the call was made."""


class CheckedBreaker:
    """The attempt's breaker on a clock of the check.

    Args:
        factory: the attempt's.
        calls: calls it.
        limits: of the breaker.
    """

    def __init__(self, factory: Callable[..., Any], calls: AttemptCalls, limits: BreakerLimits | None = None) -> None:
        self.calls = calls
        self.limits = limits or BreakerLimits()
        self.seconds = 1000.0
        self.breaker = calls.call("CircuitBreaker(limits, clock)", factory, self.limits, lambda: self.seconds)

    def run(self, work: Callable[[], Any]) -> CallResult:
        """Make a call through the breaker, without an announcement."""
        made: list[bool] = []

        def count_and_work() -> Any:
            made.append(True)
            return work()

        try:
            return CallResult(self.breaker.call(count_and_work, is_failure), None, len(made))
        except (ProviderDown, DeclinedCard, CircuitOpen) as error:
            return CallResult(None, error, len(made))

    def call(self, work: Callable[[], Any], text: str) -> CallResult:
        """Make a call through the breaker.

        Args:
            work: the call.
            text: describes it.
        """
        return self.calls.call(text, partial(self.run, work))  # type: ignore[no-any-return]

    def let_succeed(self, times: int, text: str) -> None:
        """Make calls that succeed, while the breaker is closed."""
        for number in range(1, times + 1):
            self.require("made", did=f"{text}: call {number} of {times}", state=CLOSED, look=LOOK_CLOSED)

    def let_fail(self, times: int, text: str) -> None:
        """Make calls that fail, while the breaker is closed."""
        for number in range(1, times + 1):
            did = f"{text}: call {number} of {times}"
            self.require("made", failing=True, did=did, state=CLOSED, look=LOOK_CLOSED)

    def require(self, expected: Outcome, *, did: str, state: str, look: str, failing: bool = False) -> None:
        """Fail the check unless the next call is made, or is refused.

        Args:
            expected: what must happen to the call.
            did: describes it.
            state: in which state the breaker was, after "when".
            look: where to look next.
            failing: whether the call fails if it is made.
        """
        result = self.call(fail if failing else succeed, did)
        if result.made != (expected == "made") or isinstance(result.error, CircuitOpen) != (expected == "refused"):
            wanted = "the call is made." if expected == "made" else "CircuitOpen is raised, and the call is not made."
            self.calls.fail(did, wanted, f"{_describe(result)}, when {state}.", look)

    def open(self, text: str = "10 calls that fail") -> None:
        """Open the breaker by as many failing calls as it needs."""
        self.let_fail(self.limits.min_calls, text)
        look = "Compare the failures of the window with failure_rate after each call."
        self.require("refused", did=f"one more call after {text}", state="10 of 10 calls had failed", look=look)


def succeed() -> str:
    """Answer."""
    return "charged"


def fail() -> None:
    """Fail as the dependency does."""
    raise ProviderDown("503")


def decline() -> None:
    """Answer no."""
    raise DeclinedCard("insufficient funds")


def check_passes_through(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check value, exception and number of calls while the breaker is closed."""
    checked = CheckedBreaker(factory, calls)
    did = "breaker.call(work, is_failure), and work returns 'charged'"
    result = checked.call(succeed, did)
    if (result.value, result.made) != ("charged", 1):
        calls.fail(did, "'charged', and work is called once.", f"{_describe(result)}.", "Return the value of work().")
    for work, kind in ((decline, DeclinedCard), (fail, ProviderDown)):
        did = f"breaker.call(work, is_failure), and work raises {kind.__name__}"
        result = checked.call(work, did)
        if not isinstance(result.error, kind) or result.made != 1:
            look = "Count the exception, and raise it again as it is: `raise` without a name."
            calls.fail(did, f"{kind.__name__} is raised, and work is called once.", f"{_describe(result)}.", look)


def check_minimum_calls(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a few failures do not open the breaker, and enough do, whatever the limits are."""
    for limits in (BreakerLimits(), BreakerLimits(min_calls=4)):
        checked = CheckedBreaker(factory, calls, limits)
        text = f"with min_calls={limits.min_calls}, calls that fail"
        look = f"A breaker with fewer than {limits.min_calls} calls in its window stays closed."
        for number in range(1, limits.min_calls + 1):
            state = f"{number - 1} of {number - 1} calls had failed"
            checked.require("made", failing=True, did=f"{text}: call {number}", state=state, look=look)
        state = f"{limits.min_calls} of {limits.min_calls} calls had failed"
        look = "The failure rate is reached, and so is the minimum of calls: refuse this one."
        checked.require("refused", did=f"{text}: call {limits.min_calls + 1}", state=state, look=look)


def check_rate(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the share of failures: below, reached, in any order, and beside exceptions that are no failures."""
    checked = CheckedBreaker(factory, calls)
    checked.let_succeed(11, "11 calls succeed")
    checked.let_fail(10, "11 calls succeed, then 10 fail")
    look = "Fewer than a half have failed. How many failures are too many depends on the number of calls."
    did, state = "11 calls succeed, 10 fail, and then one more", "10 of 21 calls had failed"
    checked.require("made", failing=True, did=did, state=state, look=look)
    look = "The rate of 0.5 is reached."
    did, state = "11 calls succeed, 11 fail, and then one more", "11 of 22 calls had failed"
    checked.require("refused", did=did, state=state, look=look)
    _check_mixed_order(factory, calls)
    declined = CheckedBreaker(factory, calls)
    for _ in range(12):
        did = "12 calls that raise DeclinedCard, for which is_failure returns False"
        result = declined.call(decline, did)
        if result.made != 1:
            look = "The dependency has answered, so it is well: such a call is a success for the breaker."
            calls.fail(did, "every call is made.", f"{_describe(result)}, when no call had failed.", look)


def _check_mixed_order(factory: Callable[..., Any], calls: AttemptCalls) -> None:
    checked = CheckedBreaker(factory, calls)
    order = [True] * 4 + [False] * 5
    calls.rng.shuffle(order)
    order.append(True)
    did = f"10 calls: {', '.join('fails' if failing else 'succeeds' for failing in order)}"
    for failing in order:
        checked.require("made", failing=failing, did=did, state=CLOSED, look=LOOK_CLOSED)
    look = "The rate decides: a success between two failures changes nothing."
    checked.require("refused", did=f"an 11th call after {did}", state="5 of 10 calls had failed", look=look)


def check_window(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that failures count as long as the window is, at any moment."""
    checked = CheckedBreaker(factory, calls)
    checked.let_fail(9, "9 calls fail")
    checked.seconds += 12
    look = "After 12 s the window of 10 s contains none of the 9 failures."
    for number in (1, 2):
        did = f"9 calls fail, 12 s pass, then call {number} that fails"
        checked.require("made", failing=True, did=did, state="9 failures were 12 s old", look=look)
    sliding = CheckedBreaker(factory, calls)
    sliding.let_succeed(1, "a call succeeds")
    sliding.seconds += 5
    sliding.let_fail(5, "5 s later 5 calls fail")
    sliding.seconds += 7
    sliding.let_fail(5, "again 7 s later 5 calls fail")
    look = "10 calls have failed within 7 s. A count that begins anew every 10 s loses the first five."
    did = "a call succeeds, 5 s later 5 fail, 7 s later 5 fail, and then one more"
    sliding.require("refused", did=did, state="10 calls had failed within 7 s", look=look)


def check_pause(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check an open breaker until its pause is over."""
    checked = CheckedBreaker(factory, calls)
    checked.open()
    for seconds in (0.0, 2.5, 4.9):
        checked.seconds = 1000.0 + seconds
        look = "Refuse every call for open_s seconds. A refused call does not begin the pause again."
        did, state = f"a call {seconds:g} s after the breaker has opened", f"it had been open for {seconds:g} s"
        checked.require("refused", did=did, state=state, look=look)
    checked.seconds = 1005.1
    did, state = "a call 5.1 s after the breaker has opened", "it had been open for 5.1 s"
    checked.require("made", did=did, state=state, look=LOOK_TRIAL)


def check_trials(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check how many calls a half-open breaker makes at the same time, and that their success closes it."""
    checked = CheckedBreaker(factory, calls)
    checked.open()
    checked.seconds += 6
    trials, entered, finish = checked.limits.trials, threading.Semaphore(0), threading.Event()

    def hold() -> str:
        entered.release()
        finish.wait(2 * MAX_WAIT_S)
        return "charged"

    did = f"{trials} calls at the same time in threads, after the pause"

    def watch() -> None:
        try:
            for number in range(trials):
                if not entered.acquire(timeout=MAX_WAIT_S):
                    came = f"only {number} of {trials} calls have begun after {MAX_WAIT_S:g} s."
                    look = f"limits.trials is {trials}. And hold no lock while the call is under way."
                    calls.fail(did, f"{trials} trials are made, and none waits for another.", came, look)
            look = f"Count the trials that have begun: after {trials}, refuse further calls."
            state = f"{trials} trials were under way"
            checked.require("refused", did=f"{did}, and one more while they are under way", state=state, look=look)
        finally:
            finish.set()

    results = calls.together(*[partial(checked.call, hold, did) for _ in range(trials)], watch)
    for result in results[:trials]:
        if result.value != "charged":
            calls.fail(did, "each returns 'charged'.", f"{_describe(result)}.", "Return the value of the trial.")
    text = f"{trials} trials have succeeded"
    look = "All trials have succeeded: the breaker is closed, and the failures from before count no more."
    for number in range(1, 7):
        did, state = f"{text}, then call {number} that fails", "all trials had succeeded"
        checked.require("made", failing=True, did=did, state=state, look=look)


def check_reopens(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that failed trials open the breaker again, for a whole pause."""
    checked = CheckedBreaker(factory, calls)
    checked.open()
    checked.seconds += 6
    text = "the trials after the pause fail"
    state = "the pause was over"
    checked.require("made", failing=True, did=f"{text}: the first", state=state, look=LOOK_TRIAL)
    for number in range(2, checked.limits.trials + 1):
        checked.call(fail, f"{text}: call {number}")  # made or refused: the first failure may be enough
    for seconds in (0.0, 4.9):
        checked.seconds = 1006.0 + seconds
        look = "The dependency is still down: open again, and begin the pause of 5 s anew."
        state = f"the trials had failed {seconds:g} s before"
        checked.require("refused", did=f"{text}, then a call {seconds:g} s later", state=state, look=look)
    checked.seconds = 1011.1
    state = "the trials had failed 5.1 s before"
    checked.require("made", did=f"{text}, then a call 5.1 s later", state=state, look=LOOK_TRIAL)
    mixed = CheckedBreaker(factory, calls)
    mixed.open()
    mixed.seconds += 6
    text = "the first trial succeeds, the others fail"
    mixed.require("made", did=f"{text}: the first", state="the pause was over", look=LOOK_TRIAL)
    for number in range(2, mixed.limits.trials + 1):
        mixed.call(fail, f"{text}: call {number}")
    look = "One success proves little: close only when all trials have ended well."
    state = "one trial had succeeded and the others had failed"
    mixed.require("refused", did=f"{text}, and then one more call", state=state, look=look)


def check_late_outcome(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a call that begins while the breaker is closed, and fails while it is half-open."""
    checked = CheckedBreaker(factory, calls)

    def open_meanwhile() -> None:
        checked.open("10 other calls that fail meanwhile")
        checked.seconds += 6
        checked.require("made", did="the first trial after the pause", state="the pause was over", look=LOOK_TRIAL)
        fail()

    did = "a call begins, the breaker opens meanwhile, the first trial succeeds, and then the early call fails"
    checked.call(open_meanwhile, did)
    look = "Note at the begin of each call in which state it began; count its outcome only if that state still lasts."
    state = "a call from before the opening had failed"
    for number in range(2, checked.limits.trials + 2):
        checked.require("made", did=f"{did}; then call {number} after the pause", state=state, look=look)


def _describe(result: CallResult) -> str:
    made = "the call was not made" if not result.made else "the call was made"
    if result.made > 1:
        made = f"the call was made {result.made} times"
    if result.error is not None:
        return f"{made}, and {type(result.error).__name__} was raised"
    return f"{made}, and {shorten(repr(result.value))} was returned"


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "passes-through": check_passes_through,
    "minimum-calls": check_minimum_calls,
    "rate": check_rate,
    "window": check_window,
    "pause": check_pause,
    "trials": check_trials,
    "reopens": check_reopens,
    "late-outcome": check_late_outcome,
}
