"""Checks of the exercise ``retry-budget``: retries whose waits, draws and deadline the check hands in. No check waits.

Share and reserve are numbers that a float holds exactly, so the number of tokens depends on no rounding.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten
from shop.exercises.interfaces.retry_budget import RetryLimits

LIMITS = RetryLimits(share=0.25, reserve=4.0)
STORM_CALLS = 50
TOLERANCE = 1e-9
PAGE = "docs/patterns/retries.md"


class ProviderOverloaded(Exception):
    """Another attempt may succeed."""


class CardRefused(Exception):
    """Another attempt would get the same answer."""


def is_retryable(error: Exception) -> bool:
    """Return whether another attempt may succeed."""
    return isinstance(error, ProviderOverloaded)


class ScriptedCall:
    """A call whose attempts end as the check decides.

    Args:
        outcomes: of the attempts, in order; the last one repeats. An exception is raised, anything else returned.
        on_attempt: called at each attempt.
    """

    def __init__(self, *outcomes: Any, on_attempt: Callable[[], None] = lambda: None) -> None:
        self.outcomes = outcomes
        self.attempts = 0
        self._on_attempt = on_attempt

    def __call__(self) -> Any:
        """Make an attempt."""
        outcome = self.outcomes[min(self.attempts, len(self.outcomes) - 1)]
        self.attempts += 1
        self._on_attempt()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@dataclass(frozen=True)
class CallEnd:
    """How a call ended for its caller."""

    value: Any
    error: Exception | None
    attempts: int

    def __str__(self) -> str:
        """Return it as a message shows it."""
        end = f"raised {self.error!r}" if self.error is not None else f"returned {shorten(repr(self.value))}"
        return f"{count(self.attempts, 'attempt')}, and it {end}."


class CheckedRetries:
    """The attempt's retries, with draws, waits and deadline of the check.

    Args:
        factory: the attempt's.
        calls: calls it.
        limits: how often, and after which wait.
        draw: every draw, as the share of the way from the lowest number to the highest.
    """

    def __init__(
        self, factory: Callable[..., Any], calls: AttemptCalls, limits: RetryLimits = LIMITS, draw: float = 0.0
    ) -> None:
        self._calls = calls
        self.waits: list[float] = []
        self.remaining_s = math.inf

        def uniform(low: float, high: float) -> float:
            return low + draw * (high - low)

        arguments = (limits, lambda: self.remaining_s, uniform, self._sleep)
        self._client = calls.call("RetryingClient(limits, remaining_s, uniform, sleep)", factory, *arguments)

    def pass_time(self, seconds: float) -> None:
        """Come nearer to the deadline."""
        self.remaining_s = max(0.0, self.remaining_s - seconds)

    def call(self, work: ScriptedCall, did: str, *, idempotent: bool = True) -> CallEnd:
        """Make one call, and announce it."""
        return self._calls.call(did, partial(self.run, work, idempotent=idempotent))  # type: ignore[no-any-return]

    def run(self, work: ScriptedCall, *, idempotent: bool = True) -> CallEnd:
        """Make one call."""
        try:
            value = self._client.call(work, idempotent=idempotent, is_retryable=is_retryable)
        except (ProviderOverloaded, CardRefused) as error:
            return CallEnd(None, error, work.attempts)
        return CallEnd(value, None, work.attempts)

    def count_retries(self, times: int, did: str) -> int:
        """Make so many calls of which each attempt fails, and return the number of retries."""

        def make() -> int:
            return sum(self.run(ScriptedCall(ProviderOverloaded("503"))).attempts - 1 for _ in range(times))

        return self._calls.call(did, make)  # type: ignore[no-any-return]

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.pass_time(seconds)


def check_attempts(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the number of attempts, the value and the exception."""
    errors = [ProviderOverloaded(f"503, attempt {number}") for number in range(1, 6)]
    for outcomes, text, attempts in (
        (("charged",), "a call that succeeds", 1),
        ((*errors[:2], "charged"), "a call whose first two attempts fail", 3),
        (tuple(errors), "a call of which every attempt fails", 3),
    ):
        end = CheckedRetries(factory, calls).call(ScriptedCall(*outcomes), text)
        last = outcomes[attempts - 1]
        expected = CallEnd(None, last, attempts) if isinstance(last, Exception) else CallEnd(last, None, attempts)
        if end != expected:
            look = "limits.attempts is 3 and includes the first attempt; the budget is full at the begin."
            calls.fail(f"{text}, with attempts=3", str(expected), str(end), look)


def check_safe_to_repeat(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check calls that must not be made again."""
    overloaded: Exception = ProviderOverloaded("503")
    refused: Exception = CardRefused("no such card")
    for outcomes, idempotent, text, attempts, look in (
        ((overloaded, "charged"), False, "idempotent=False, and the first attempt fails", 1, "It could charge twice."),
        ((refused, "charged"), True, "an exception that is not retryable", 1, "Ask is_retryable(error)."),
        (
            (overloaded, refused, "charged"),
            True,
            "an attempt that is overloaded, then one that is refused",
            2,
            "Ask is_retryable(error) after each attempt.",
        ),
    ):
        end = CheckedRetries(factory, calls).call(ScriptedCall(*outcomes), text, idempotent=idempotent)
        if (end.error, end.attempts) != (outcomes[attempts - 1], attempts):
            expected = f"{count(attempts, 'attempt')}, and its exception is raised."
            calls.fail(f"a call with {text}", expected, f"for {text}: {end}", look)


def check_full_jitter(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check every wait of a call with seven attempts, for the lowest, the middle and the highest draw."""
    limits = replace(LIMITS, attempts=7, reserve=16.0)
    bounds = [min(limits.cap_s, limits.base_s * 2**number) for number in range(limits.attempts - 1)]
    for draw in (0.0, 0.5, 1.0):
        checked = CheckedRetries(factory, calls, limits, draw)
        did = (
            f"a call of which every attempt fails; attempts=7, base_s=0.1, cap_s=2, and uniform(a, b) returns {draw:g}"
        )
        did += " of the way from a to b"
        checked.call(ScriptedCall(ProviderOverloaded("503")), did)
        expected = [draw * bound for bound in bounds]
        fits = len(checked.waits) == len(expected) and all(
            math.isclose(*pair, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
            for pair in zip(checked.waits, expected, strict=True)
        )
        if not fits:
            look = (
                "Full jitter: sleep(uniform(0, bound)); the bound is base_s, doubles at each retry, and ends at cap_s."
            )
            came = f"waits of {_seconds(checked.waits)}." if checked.waits else "no wait."
            calls.fail(did, f"waits of {_seconds(expected)}.", came, look)


def check_budget(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the number of retries while every call fails."""
    times = rule.repetitions
    did = f"{times} calls of which every attempt fails, with share={LIMITS.share:g} and reserve={LIMITS.reserve:g}"
    retries = CheckedRetries(factory, calls).count_retries(times, did)
    highest = int(LIMITS.reserve + LIMITS.share * times)
    lowest = math.ceil(0.9 * LIMITS.share * times)
    if not lowest <= retries <= highest:
        look = "One budget for all calls: each call adds `share` once, and each retry takes 1, if there is 1."
        if retries < lowest:
            look = "Take a token only for a retry that is made; the last attempt of a call is followed by none."
        expected = f"{lowest} to {highest} retries: {LIMITS.share:g} for each call, and the reserve once."
        calls.fail(did, expected, f"{retries} retries.", look)


def check_full_bucket(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the number of retries in a storm after a calm."""
    checked = CheckedRetries(factory, calls)
    calm = f"{rule.repetitions} calls that succeed"
    calls.call(calm, lambda: [checked.run(ScriptedCall("charged")) for _ in range(rule.repetitions)])
    did = f"{calm}, and then {STORM_CALLS} calls of which every attempt fails"
    retries = checked.count_retries(STORM_CALLS, did)
    highest = int(LIMITS.reserve + LIMITS.share * STORM_CALLS)
    lowest = int(LIMITS.reserve)
    if not lowest <= retries <= highest:
        look = "min(reserve, tokens + share): a good hour must not pay for a thousand retries in a bad minute."
        expected = f"{lowest} to {highest} retries: the reserve, and {LIMITS.share:g} for each failed call."
        calls.fail(did, expected, f"{retries} retries.", look)


def check_deadline(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check calls near their deadline, and the budget after them."""
    checked = CheckedRetries(factory, calls, draw=0.8)
    checked.remaining_s = 0.05
    did = "a call whose first attempt fails 0.05 s before the deadline, and the drawn wait is 0.08 s"
    end = checked.call(ScriptedCall(ProviderOverloaded("503"), "charged"), did)
    if end.attempts != 1 or checked.waits:
        came = f"{str(end)[:-1]} after waits of {_seconds(checked.waits)}." if checked.waits else str(end)
        look = "Compare the drawn wait with remaining_s(). After the deadline the answer is of no use to the client."
        calls.fail(did, "1 attempt, no wait, and its exception is raised.", came, look)
    slow = CheckedRetries(factory, calls, draw=0.5)
    slow.remaining_s = 1.5
    did = "a call of which every attempt fails after 1 s, 1.5 s before the deadline"
    end = slow.call(ScriptedCall(ProviderOverloaded("503"), on_attempt=partial(slow.pass_time, 1.0)), did)
    if end.attempts != 2:
        look = "Ask remaining_s() anew after each attempt: the attempts take time as well."
        calls.fail(did, "2 attempts: after the second one no time is left.", str(end), look)
    checked.remaining_s = 0.0
    did = "20 failing calls after their deadline, and then one with time enough of which every attempt fails"
    checked.count_retries(20, did)
    checked.remaining_s = math.inf
    end = checked.call(ScriptedCall(ProviderOverloaded("503")), did)
    if end.attempts != LIMITS.attempts:
        look = "Ask for the token last: only a retry that is made may take one."
        calls.fail(did, "3 attempts for the last call: no token was taken before.", str(end), look)


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _seconds(waits: list[float]) -> str:
    return ", ".join(f"{wait:.4g}" for wait in waits) + " s"


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "attempts": check_attempts,
    "safe-to-repeat": check_safe_to_repeat,
    "full-jitter": check_full_jitter,
    "budget": check_budget,
    "full-bucket": check_full_bucket,
    "deadline": check_deadline,
}
