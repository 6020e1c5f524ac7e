"""Judges the figures of an experiment: pure functions, tested by table.

Problem: a lab that blames a good pattern for a busy machine is worse than none, and so is one that praises a pattern
where its problem never showed.
Method: four questions, in this order. Do the figures mean anything? Did the arm without the pattern show the problem?
Is everything right that has to be right, in every run? And only where the machine was quiet: is it worth what was
claimed, in every run? One run alone is a look and claims nothing.
Source: Jain, "The Art of Computer Systems Performance Analysis", ch. 2, "Common Mistakes and How to Avoid
Them"; Georges and others, "Statistically Rigorous Java Performance Evaluation" (OOPSLA 2007), on single runs.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shop.lab.anomalies import describe_anomalies
from shop.lab.experiment import CLAIM, LabExperiment
from shop.lab.load import LoadSamples
from shop.lab.statistics import FigureSpread, percentile

VerdictWord = Literal["confirmed", "refuted", "invalid", "look"]
ClaimOutcome = Literal["holds", "broken", "runs disagree", "not measured"]

WIDE_SPREAD_FACTOR = 4.0
"""Runs whose highest figure is this many times the lowest tell that there is an effect, and not how large it is."""
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class RunEvidence:
    """All that is judged by.

    Args:
        arms: arm to its figures over the runs.
        ratios: the ratios over the runs.
        runs: how often each arm was measured.
        saturated: arms in which the generator was the bottleneck, and the sign of it.
        unsettled: arms whose hit rate still rose while it was measured, and how far.
        troubles: arm to what the store counted as trouble meanwhile.
        failing: why the store was not well before or after; ``None`` when it was.
        drifted: how the store's quickness changed from before to after; ``None`` when it did not.
    """

    arms: Mapping[str, Mapping[str, FigureSpread | None]]
    ratios: Mapping[str, FigureSpread | None]
    runs: int
    saturation: Mapping[str, str] = field(default_factory=dict)
    unsettled_hit_rates: Mapping[str, str] = field(default_factory=dict)
    anomalies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    unsteady: str | None = None
    drift: str | None = None


@dataclass(frozen=True)
class JudgedClaim:
    """One claim and what the runs say of it."""

    claim: str
    outcome: ClaimOutcome
    statement: str
    """What was measured, over the runs, and whether that is what was claimed."""
    measured: str
    """What was measured, beside what was claimed, without a word on whether that will do."""


@dataclass(frozen=True)
class ExperimentVerdict:
    """What the figures say, and why, in words.

    Args:
        verdict: the word for all of it.
        reason: a sentence or a few.
        correctness: the word for what has to be right; ``None`` where nothing of the kind is claimed, or nothing was
            judged.
        timing: the word for what depends on how quick the machine is; likewise.
        claims: every claim, judged.
    """

    verdict: VerdictWord
    reason: str
    correctness: VerdictWord | None = None
    timing: VerdictWord | None = None
    claims: tuple[JudgedClaim, ...] = ()


def judge(experiment: LabExperiment, seen: RunEvidence) -> ExperimentVerdict:
    """Say what the figures say.

    Args:
        experiment: what was claimed.
        seen: what was found.
    """
    rules = experiment.verdict
    problem = [_judged(claim, seen) for claim in rules.problem_when]
    right = [_judged(claim, seen) for claim in rules.correct_when]
    worth = [_judged(claim, seen) for claim in rules.confirmed_when]
    claims = (*problem, *right, *worth)
    if reason := _errors(experiment, seen):
        return ExperimentVerdict("invalid", reason, claims=claims)
    worthless, hidden = _troubles(experiment, seen) or _sentence(seen.unsteady), _problem_hidden(problem)
    if seen.runs == 1:
        return ExperimentVerdict("look", _look(claims, worthless or hidden or _disturbed(seen)), claims=claims)
    correctness, timing = _correctness(right), _timing(worth, _disturbed(seen))
    if worthless or (hidden and correctness != "refuted"):  # what is wrong is wrong, whatever the other arm showed
        return ExperimentVerdict("invalid", worthless or hidden or "", claims=claims)
    return ExperimentVerdict(
        _overall(correctness, timing), _reason(right, worth, timing, _disturbed(seen)), correctness, timing, claims
    )


def steady_state_failure(before: LoadSamples, after: LoadSamples) -> str | None:
    """Return why the store was not well before or after the runs, or ``None`` when it was."""
    for when, seen in (("before", before), ("after", after)):
        if not seen.latencies_ms or not all(seen.succeeded):
            return f"the steady state did not hold {when} the runs: {_faults(seen)}"
    return None


def steady_state_drift(experiment: LabExperiment, before: LoadSamples, after: LoadSamples) -> str | None:
    """Return how the store's median answer moved further than the experiment allows, or ``None`` when it did not."""
    limits = experiment.steady_state
    if not before.latencies_ms or not after.latencies_ms:
        return None
    first, last = percentile(before.latencies_ms, 50), percentile(after.latencies_ms, 50)
    apart, factor = abs(first - last), max(first, last) / max(min(first, last), 1e-9)
    if apart > limits.noise_ms and factor > limits.tolerance:
        return (
            f"the steady state did not hold: its median answer went from {first:.1f} ms before to {last:.1f} ms after, "
            f"more than a factor of {limits.tolerance:g} apart"
        )
    return None


def _errors(experiment: LabExperiment, seen: RunEvidence) -> str | None:
    limit = experiment.verdict.error_limit
    for name, figure in seen.arms.items():
        errors = figure["error_rate"]
        if errors is not None and errors.high > limit:
            return f"{errors.high:.1%} of the visits of arm {name} failed in one run; {limit:.1%} is the limit."
    return None


def _troubles(experiment: LabExperiment, seen: RunEvidence) -> str | None:
    tolerated = experiment.verdict.tolerates
    strange = {
        arm: {name: count for name, count in counts.items() if name not in tolerated}
        for arm, counts in seen.anomalies.items()
    }
    words = [each for arm, counts in strange.items() for each in describe_anomalies(arm, counts)]
    if not words:
        return None
    return f"The store itself was in trouble ({'; '.join(words)}): that says nothing of the pattern. Free the machine."


def _problem_hidden(problem: Iterable[JudgedClaim]) -> str | None:
    hidden = [one.statement for one in problem if one.outcome != "holds"]
    return f"The problem did not show, so nothing is said of its cure: {'; '.join(hidden)}." if hidden else None


def _disturbed(seen: RunEvidence) -> str | None:
    """Return what makes every figure of time worthless, or ``None``."""
    if seen.saturation:
        signs = "; ".join(f"arm {name}: {sign}" for name, sign in seen.saturation.items())
        return (
            f"The load generator was the bottleneck ({signs}): these figures are its own, not the store's. Free the "
            "machine of other work, or lower the load."
        )
    if seen.unsettled_hit_rates:
        signs = "; ".join(f"arm {name}: {sign}" for name, sign in seen.unsettled_hit_rates.items())
        return f"The cache was not warm ({signs}): a hit rate that still rises is measured too early."
    return _sentence(seen.drift)


def _correctness(claims: Sequence[JudgedClaim]) -> VerdictWord | None:
    """Judge what has to be right: one run in which it was not refutes it."""
    if not claims:
        return None
    if any(one.outcome in ("broken", "runs disagree") for one in claims):
        return "refuted"
    return "invalid" if any(one.outcome == "not measured" for one in claims) else "confirmed"


def _timing(claims: Sequence[JudgedClaim], disturbed: str | None) -> VerdictWord | None:
    """Judge what depends on the machine: it is refuted only where no run shows it."""
    if not claims:
        return None
    if disturbed:
        return "invalid"
    if any(one.outcome == "broken" for one in claims):
        return "refuted"
    return "confirmed" if all(one.outcome == "holds" for one in claims) else "invalid"


def _overall(correctness: VerdictWord | None, timing: VerdictWord | None) -> VerdictWord:
    words = (correctness, timing)
    if "refuted" in words:
        return "refuted"
    if correctness is not None:  # what has to be right is judged on its own; the reason says what became of the timing
        return correctness
    return timing or "invalid"


def _reason(
    right: Sequence[JudgedClaim], worth: Sequence[JudgedClaim], timing: VerdictWord | None, disturbed: str | None
) -> str:
    said = f"{_words(right)}." if right else ""
    if not worth:
        return said
    if timing != "invalid":
        return f"{said} {_words(worth)}.".strip()
    why = disturbed or f"The runs do not agree: {_words(worth)}."
    return f"{said} The timing is not judged. {why}" if right else why


def _words(claims: Sequence[JudgedClaim]) -> str:
    """Tell of the claims that do not hold, or of all where they all do."""
    wrong = [one.statement for one in claims if one.outcome != "holds"]
    return "; ".join(wrong or [one.statement for one in claims])


def _look(claims: Iterable[JudgedClaim], caution: str | None) -> str:
    shown = "; ".join(one.measured for one in claims)
    return f"One run shows what there may be to see, and claims nothing: {shown}.{f' {caution}' if caution else ''}"


def _judged(claim: str, evidence: RunEvidence) -> JudgedClaim:
    match = CLAIM.fullmatch(claim)
    assert match is not None  # noqa: S101 - the parser refused everything else
    kind, name, *figure = match["path"].split(".")
    found = evidence.ratios.get(name) if kind == "ratios" else evidence.arms[name].get(figure[0])
    label = name if kind == "ratios" else f"{name}.{figure[0]}"
    wanted = f"{match['op']} {match['bound']}"
    if found is None:
        words = f"{label} could not be measured"
        return JudgedClaim(claim, "not measured", words, words)
    held = [_COMPARE[match["op"]](value, float(match["bound"])) for value in (found.low, found.high)]
    outcome: ClaimOutcome = "holds" if all(held) else "runs disagree" if any(held) else "broken"
    apart = ", far apart," if match["op"] in (">", ">=") and found.high >= WIDE_SPREAD_FACTOR * found.low > 0 else ""
    span = f"{found.low:.2f} to {found.high:.2f}{apart}"
    verb = {"holds": f"as claimed {wanted}", "broken": f"not {wanted}"}.get(outcome, f"not in every run {wanted}")
    measured = f"{label} is {found.median:.2f}"
    return JudgedClaim(claim, outcome, f"{measured} ({span} over the runs), {verb}", f"{measured} (claimed {wanted})")


def _sentence(words: str | None) -> str | None:
    return f"{words[0].upper()}{words[1:]}." if words else None


def _faults(seen: LoadSamples) -> str:
    return ", ".join(f"{count} times {kind}" for kind, count in seen.errors.items()) or "no answers"
