"""Judges the figures of an experiment: pure functions, tested by table.

Problem: a lab misleads if it blames a good pattern for a busy machine, or praises a pattern although its problem never
showed.
Method: four questions, in this order. Are the figures valid? Did the arm without the pattern show the problem? Do all
claims about correctness hold in every run? Do all claims about timing hold in every run, if nothing disturbed the
timing? A single run gets the verdict "look" and confirms nothing.
Source: Jain, "The Art of Computer Systems Performance Analysis", ch. 2, "Common Mistakes and How to Avoid
Them"; Georges and others, "Statistically Rigorous Java Performance Evaluation" (OOPSLA 2007), on single runs.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shop.lab.anomalies import describe_anomalies
from shop.lab.experiment import CLAIM, LabExperiment
from shop.lab.load import LoadSamples
from shop.lab.statistics import FigureSpread, percentile

VerdictWord = Literal["confirmed", "refuted", "invalid", "look"]
ClaimOutcome = Literal["holds", "broken", "runs disagree", "not measured"]

WIDE_SPREAD_FACTOR = 4.0
"""If the highest run is this many times the lowest, the runs show an effect, but not its size."""
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class RunEvidence:
    """The input of the verdict.

    Args:
        arms: for each arm, its figures over the runs.
        ratios: the ratios over the runs.
        runs: how often each arm was measured.
        saturation: for each arm in which the generator was the bottleneck, the sign of that.
        unsettled_hit_rates: for each arm whose hit rate still rose during the measurement, the rise.
        anomalies: for each arm, the anomalies that the store counted.
        unsteady: why the steady state failed before or after the runs; ``None`` if it held.
        drift: how the store's latency changed from before to after the runs; ``None`` if it did not change much.
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
    """One claim and its outcome over the runs."""

    claim: str
    outcome: ClaimOutcome
    statement: str
    """The measured figure over the runs, and whether it fulfils the claim."""
    measured: str
    """The measured figure beside the claim, without a judgement; for a single run."""


@dataclass(frozen=True)
class ExperimentVerdict:
    """The verdict on an experiment and its reason.

    Args:
        verdict: the word for the whole experiment.
        reason: one or a few sentences.
        correctness: the word for the claims about correctness; ``None`` if there are none, or none was judged.
        timing: the word for the claims about timing; ``None`` if there are none, or none was judged.
        claims: every claim, judged.
        refuted_by: each claim that refuted it, with its figure and bound; empty unless the verdict is "refuted".
    """

    verdict: VerdictWord
    reason: str
    correctness: VerdictWord | None = None
    timing: VerdictWord | None = None
    claims: tuple[JudgedClaim, ...] = ()
    refuted_by: tuple[JudgedClaim, ...] = ()


def judge(experiment: LabExperiment, evidence: RunEvidence) -> ExperimentVerdict:
    """Return the verdict on an experiment.

    Args:
        experiment: its claims and limits.
        evidence: its figures.
    """
    rules = experiment.verdict
    problem = [_judge_claim(claim, evidence) for claim in rules.problem_when]
    correctness_claims = [_judge_claim(claim, evidence) for claim in rules.correct_when]
    timing_claims = [_judge_claim(claim, evidence) for claim in rules.confirmed_when]
    claims = (*problem, *correctness_claims, *timing_claims)
    for arm, figures in evidence.arms.items():
        errors = figures["error_rate"]
        if errors is not None and errors.high > rules.error_limit:
            reason = f"{errors.high:.1%} of the visits of arm {arm} failed in one run; the limit is "
            return ExperimentVerdict("invalid", f"{reason}{rules.error_limit:.1%}.", claims=claims)
    failure = _unexpected_anomalies(rules.tolerates, evidence) or _sentence(evidence.unsteady)
    hidden = "; ".join(judged.statement for judged in problem if judged.outcome != "holds")
    hidden = f"The problem did not show, so the runs do not test the pattern: {hidden}." if hidden else ""
    disturbed = _timing_disturbance(evidence)
    if evidence.runs == 1:
        measured = "; ".join(judged.measured for judged in claims)
        caution = failure or hidden or disturbed
        look = f"One run gives a first look and confirms nothing: {measured}."
        return ExperimentVerdict("look", f"{look} {caution}" if caution else look, claims=claims)
    correctness, timing = _judge_correctness(correctness_claims), _judge_timing(timing_claims, disturbed)
    if failure or (hidden and correctness != "refuted"):  # a wrong result counts, also if the problem did not show
        return ExperimentVerdict("invalid", failure or hidden, claims=claims)
    # Without a refutation, the headline's kind of claim decides; the reason tells if the timing was not judged.
    first, second = (
        (timing, correctness) if experiment.headline.claim in rules.confirmed_when else (correctness, timing)
    )
    verdict: VerdictWord = "refuted" if "refuted" in (first, second) else first or second or "invalid"
    reason = _reason(correctness_claims, timing_claims, timing, disturbed)
    refuting = _refuting_claims(correctness_claims, timing_claims if timing == "refuted" else ())
    return ExperimentVerdict(verdict, reason, correctness, timing, claims, refuting)


def steady_state_failure(before: LoadSamples, after: LoadSamples) -> str | None:
    """Return why the steady state failed before or after the runs, or ``None`` if it held."""
    for when, samples in (("before", before), ("after", after)):
        if not samples.latencies_ms or not all(samples.succeeded):
            errors = ", ".join(f"{count} times {kind}" for kind, count in samples.errors.items()) or "no responses"
            return f"the steady state did not hold {when} the runs: {errors}"
    return None


def steady_state_drift(experiment: LabExperiment, before: LoadSamples, after: LoadSamples) -> str | None:
    """Return how the store's median latency changed more than the experiment allows, or ``None`` if it did not."""
    limits = experiment.steady_state
    if not before.latencies_ms or not after.latencies_ms:
        return None
    first, last = percentile(before.latencies_ms, 50), percentile(after.latencies_ms, 50)
    difference, factor = abs(first - last), max(first, last) / max(min(first, last), 1e-9)
    if difference > limits.noise_ms and factor > limits.tolerance:
        return (
            f"the steady state did not hold: its median latency went from {first:.1f} ms before to {last:.1f} ms "
            f"after, by more than a factor of {limits.tolerance:g}"
        )
    return None


def _unexpected_anomalies(tolerated: Sequence[str], evidence: RunEvidence) -> str | None:
    unexpected = {
        arm: {name: count for name, count in counts.items() if name not in tolerated}
        for arm, counts in evidence.anomalies.items()
    }
    anomalies = [text for arm, counts in unexpected.items() for text in describe_anomalies(arm, counts)]
    if not anomalies:
        return None
    return (
        f"The store counted anomalies of its own ({'; '.join(anomalies)}), so the figures do not test the pattern. "
        "Stop other work on this machine and run again."
    )


def _timing_disturbance(evidence: RunEvidence) -> str | None:
    """Return what makes every figure of time invalid, or ``None``."""
    if evidence.saturation:
        signs = "; ".join(f"arm {name}: {sign}" for name, sign in evidence.saturation.items())
        return (
            f"The load generator was the bottleneck ({signs}): the figures measure the generator, not the store. Stop "
            "other work on this machine, or lower the load."
        )
    if evidence.unsettled_hit_rates:
        signs = "; ".join(f"arm {name}: {sign}" for name, sign in evidence.unsettled_hit_rates.items())
        return f"The cache was not warm ({signs}): its hit rate still rose during the measurement."
    return _sentence(evidence.drift)


def _judge_correctness(claims: Sequence[JudgedClaim]) -> VerdictWord | None:
    """Judge the claims about correctness: one wrong run refutes a claim."""
    if not claims:
        return None
    if any(judged.outcome in ("broken", "runs disagree") for judged in claims):
        return "refuted"
    return "invalid" if any(judged.outcome == "not measured" for judged in claims) else "confirmed"


def _judge_timing(claims: Sequence[JudgedClaim], disturbed: str | None) -> VerdictWord | None:
    """Judge the claims about timing: a claim is refuted only if it holds in no run."""
    if not claims:
        return None
    if disturbed:
        return "invalid"
    if any(judged.outcome == "broken" for judged in claims):
        return "refuted"
    return "confirmed" if all(judged.outcome == "holds" for judged in claims) else "invalid"


def _refuting_claims(correctness: Sequence[JudgedClaim], timing: Sequence[JudgedClaim]) -> tuple[JudgedClaim, ...]:
    """Return the claims that refute the experiment: one wrong run is enough for correctness, and not for timing."""
    wrong = [judged for judged in correctness if judged.outcome in ("broken", "runs disagree")]
    return (*wrong, *(judged for judged in timing if judged.outcome == "broken"))


def _reason(
    correctness: Sequence[JudgedClaim],
    timing: Sequence[JudgedClaim],
    timing_verdict: VerdictWord | None,
    disturbed: str | None,
) -> str:
    first = f"{_failed_or_all(correctness)}." if correctness else ""
    if not timing:
        return first
    if timing_verdict != "invalid":
        return f"{first} {_failed_or_all(timing)}.".strip()
    cause = disturbed or f"The runs do not agree: {_failed_or_all(timing)}."
    return f"{first} The timing is not judged. {cause}" if correctness else cause


def _failed_or_all(claims: Sequence[JudgedClaim]) -> str:
    """Return the statements of the claims that do not hold; if all hold, the statements of all."""
    failed = [judged.statement for judged in claims if judged.outcome != "holds"]
    return "; ".join(failed or [judged.statement for judged in claims])


def _judge_claim(claim: str, evidence: RunEvidence) -> JudgedClaim:
    match = CLAIM.fullmatch(claim)
    assert match is not None  # noqa: S101 - the parser accepts nothing else
    kind, name, *figure = match["path"].split(".")
    spread = evidence.ratios.get(name) if kind == "ratios" else evidence.arms[name].get(figure[0])
    label = name if kind == "ratios" else f"{name}.{figure[0]}"
    bound = f"{match['op']} {match['bound']}"
    if spread is None:
        words = f"{label} could not be measured"
        return JudgedClaim(claim, "not measured", words, words)
    held = [_COMPARE[match["op"]](value, float(match["bound"])) for value in (spread.low, spread.high)]
    outcome: ClaimOutcome = "holds" if all(held) else "runs disagree" if any(held) else "broken"
    wide = match["op"] in (">", ">=") and spread.high >= WIDE_SPREAD_FACTOR * spread.low > 0
    span = f"{spread.low:.2f} to {spread.high:.2f}{', far apart,' if wide else ''}"
    ending = {"holds": f"as claimed {bound}", "broken": f"not {bound}"}.get(outcome, f"not in every run {bound}")
    measured = f"{label} is {spread.median:.2f}"
    return JudgedClaim(claim, outcome, f"{measured} ({span} over the runs), {ending}", f"{measured} (claimed {bound})")


def _sentence(words: str | None) -> str | None:
    return f"{words[0].upper()}{words[1:]}." if words else None
