"""Judges the arms of a live comparison: by counts first, then by one ratio. Pure functions of what was counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule
from shop.exercises.verdict import CannotJudge, FailureReport

LATE_LIMIT_MS = 100.0
"""If the 95th percentile of release delays is above this, the load was not the planned one."""
CHECK = "live"
CALLS, REQUESTS, RATIO = "calls", "requests", "ratio"


@dataclass(frozen=True)
class ArmResult:
    """What was seen in one arm.

    Args:
        is_attempt: whether the attempt was in force; otherwise it was the store's own code.
        counts: by name.
        lag_ms: how late the generator released its requests, 95th percentile.
        failed: number of failed requests.
        first_failure: the first of them, and its outcome; empty if there is none.
        request_id: of the first failed request; empty if it had no response.
    """

    is_attempt: bool
    counts: Counts
    lag_ms: float
    failed: int = 0
    first_failure: tuple[str, str] = ("", "")
    request_id: str = ""


@dataclass(frozen=True)
class LiveResult:
    """The outcome of a live stage that could be judged.

    Args:
        passed: names of the live checks that passed.
        failure: the first failure; ``None`` if all passed.
        figures: what was counted, a line each, for the reader.
        ratio: of attempt and default; ``None`` if it was not judged.
    """

    passed: tuple[str, ...]
    failure: FailureReport | None
    figures: tuple[str, ...]
    ratio: float | None = None


def judge_arms(
    comparison: LiveComparison, arms: Sequence[ArmResult], load: str, *, with_ratio: bool = True
) -> LiveResult:
    """Judge the arms of a comparison.

    Args:
        comparison: states the bounds.
        arms: of the store's own code, and of the attempt.
        load: what was done, as a sentence.
        with_ratio: whether the ratio is judged, too; short arms are judged by counts alone.

    Raises:
        CannotJudge: the store's own code did not keep a bound, so nothing is known about the attempt.
    """
    pair = ArmPair(tuple(arm for arm in arms if arm.is_attempt), tuple(arm for arm in arms if not arm.is_attempt), load)
    if not comparison.failures and (failure := pair.failed_request()):
        return LiveResult((), failure, ())
    passed = [] if comparison.failures else [check_name(REQUESTS)]
    for rule in comparison.counts:
        if failure := pair.broken_bound(rule):
            return LiveResult(tuple(passed), failure, ())
        if rule.says:
            passed.append(check_name(rule.count))
    figures = [pair.describe(rule) for rule in comparison.counts]
    if not with_ratio:
        return LiveResult(tuple(passed), None, tuple(figures))
    limit, counted = comparison.ratio, comparison.rule_of(comparison.ratio.count)
    ratio = pair.ratio(limit)
    if failure := pair.broken_ratio(limit, counted):
        return LiveResult(tuple(passed), failure, (), ratio)
    figures.append(f"ratio of yours to the store's, {counted.label}: {ratio:.2f} (at most {limit.at_most:g})")
    return LiveResult((*passed, check_name(RATIO)), None, tuple(figures), ratio)


@dataclass(frozen=True)
class ArmPair:
    """The arms of both sides.

    Args:
        attempt: arms of the attempt.
        own: arms of the store's own code.
        load: what was done, as a sentence.
    """

    attempt: tuple[ArmResult, ...]
    own: tuple[ArmResult, ...]
    load: str

    def failed_request(self) -> FailureReport | None:
        """Return the report of a request that failed with the attempt.

        Raises:
            CannotJudge: a request failed with the store's own code.
        """
        for arm in self.own:
            if arm.failed:
                request, came = arm.first_failure
                raise CannotJudge(f"The store failed with its own code: {request}: {came}. See `bin/shop status`.")
        failed = [arm for arm in self.attempt if arm.failed]
        if not failed:
            return None
        request, came = failed[0].first_failure
        count = sum(arm.failed for arm in failed)
        request_id = failed[0].request_id
        look = f"bin/shop logs --request {request_id}" if request_id else "`bin/shop status`, and the logs in var/log."
        expected = "a response below 500 to every request."
        return FailureReport(check_name(REQUESTS), self.load, expected, f"{request}: {came} ({count} failed).", look)

    def broken_bound(self, rule: CountRule) -> FailureReport | None:
        """Return the report of a bound that the attempt does not keep.

        Raises:
            CannotJudge: the store's own code does not keep it.
        """
        came = f"{self.describe(rule)}."
        if not all(rule.holds(arm.counts) for arm in self.own):
            raise CannotJudge(
                f"The store's own code did not do what is expected of yours ({rule.says}): {came} Repeat the check when"
                " the machine has less to do."
            )
        if all(rule.holds(arm.counts) for arm in self.attempt):
            return None
        return FailureReport(check_name(rule.count), self.load, f"{rule.says}.", came, rule.look)

    def broken_ratio(self, rule: RatioRule, counted: CountRule) -> FailureReport | None:
        """Return the report of a ratio that is too high.

        Args:
            rule: the bound.
            counted: the rule of its count.
        """
        if (ratio := self.ratio(rule)) <= rule.at_most:
            return None
        expected = f"{counted.label}: at most {rule.at_most:g} times as many as with the store's own code."
        came = f"{ratio:.2f} times; {self.describe(counted)}."
        return FailureReport(check_name(RATIO), self.load, expected, came, rule.look)

    def ratio(self, rule: RatioRule) -> float:
        """Return the mean count of the attempt divided by that of the store's own code."""
        yours, own = (fmean(arm.counts[rule.count] for arm in arms) for arms in (self.attempt, self.own))
        return yours / max(own, rule.floor)

    def describe(self, rule: CountRule) -> str:
        """Return a count of every arm, for the reader."""
        arms = (self.attempt, self.own)
        yours, own = (" and ".join(f"{arm.counts[rule.count]:g}" for arm in side) for side in arms)
        return f"{rule.label}: {yours} with your code, {own} with the store's own"


def check_lateness(arms: Sequence[ArmResult]) -> None:
    """Check that the load was offered as planned.

    Raises:
        CannotJudge: the generator itself was late.
    """
    lag_ms = max(arm.lag_ms for arm in arms)
    if lag_ms <= LATE_LIMIT_MS:
        return
    only_attempt = all(arm.lag_ms <= LATE_LIMIT_MS for arm in arms if not arm.is_attempt)
    cause = " while your code was in force" if only_attempt else ""
    raise CannotJudge(
        f"The machine was too busy{cause}: the check itself sent requests {lag_ms:.0f} ms late (at most"
        f" {LATE_LIMIT_MS:.0f} ms). Close other programs, then repeat the check."
    )


def check_name(count: str) -> str:
    """Return the name of a live check."""
    return f"{CHECK}-{count}"
