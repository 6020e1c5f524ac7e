"""Figures of an experiment and what they say: pure functions over raw samples, tested by table."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shop.lab.experiment import CLAIM, RATIO, Experiment
from shop.lab.load import Samples
from shop.lab.statistics import Spread, percentile

Figures = Mapping[str, float | None]

LAYERS = ("edge", "local", "shared")
ANSWERERS = ("browser", *LAYERS, "origin")
"""Who may have the answer, outermost first."""
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Observation:
    """One arm in one run: the phase at the common rate, and the phase as fast as it goes."""

    arm: str
    open: Samples
    closed: Samples | None
    """``None`` where a driver did not drive it as fast as it goes."""
    measures: Figures = field(default_factory=dict)
    """What a driver found out beside."""
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What the figures say, and why, in words."""

    verdict: Literal["confirmed", "refuted", "invalid"]
    reason: str


def figures(seen: Observation, good_within_ms: float) -> Figures:
    """Return the figures of one arm in one run, by name; ``None`` where nothing was there to be measured."""
    paced, latencies = seen.open, seen.open.latencies_ms
    within = sum(good and ms <= good_within_ms for good, ms in zip(paced.good, latencies, strict=True))
    both = [seen.open, *([seen.closed] if seen.closed else [])]
    answered = sum(paced.answers.values())
    return {
        "offered_rps": paced.offered / paced.seconds,
        "achieved_rps": (len(latencies) - paced.faults.get("unanswered", 0)) / paced.seconds,
        "goodput_rps": within / paced.seconds,
        **{f"p{percent}_ms": percentile(latencies, percent) if latencies else None for percent in (50, 95, 99)},
        "error_rate": _share(sum(s.good.count(False) for s in both), sum(len(s.good) for s in both)),
        "db_queries_per_request": _share(paced.queries, paced.calls),
        "db_queries_per_visit": _share(paced.queries, len(latencies)),
        "calls_per_visit": _share(paced.calls, len(latencies)),
        "most_rps": seen.closed.good.count(True) / seen.closed.seconds if seen.closed else None,
        "generator_cpu": max(s.cpu_share for s in both),
        "generator_lag_p95_ms": paced.lag_p95_ms,
        **{f"hit_rate_{layer}": _share(*paced.lookups.get(layer, (0, 0))) for layer in LAYERS},
        **{f"share_{who}": _share(paced.answers.get(who, 0), answered) for who in ANSWERERS},
        **seen.measures,
    }  # the names are declared in shop.lab.experiment.FIGURES


def ratios(experiment: Experiment, runs: Sequence[Mapping[str, Figures]]) -> dict[str, Spread | None]:
    """Return each ratio over the runs; both its sides come from the same run, so drift between runs cancels.

    Args:
        experiment: says what is divided by what.
        runs: for each run, arm to figures.
    """
    found = {}
    for name, expression in experiment.ratios.items():
        match = RATIO.fullmatch(expression)
        assert match is not None  # noqa: S101 - the parser refused everything else
        pairs = [(run[match["top"]][match["over"]], run[match["bottom"]][match["under"]]) for run in runs]
        found[name] = Spread.of(_quotient(over, under) for over, under in pairs)
    return found


def judge(
    experiment: Experiment,
    arms: Mapping[str, Mapping[str, Spread | None]],
    ratio: Mapping[str, Spread | None],
    saturated: Mapping[str, str],
    steady: str | None,
) -> Judgement:
    """Say what the figures say.

    Args:
        experiment: what was claimed.
        arms: arm to its figures over the runs.
        ratio: the ratios over the runs.
        saturated: arms in which the generator was the bottleneck, and the sign of it.
        steady: why the steady state did not hold; ``None`` when it did.
    """
    if reason := _worthless(experiment, arms, saturated, steady):
        return Judgement("invalid", reason)
    kept: list[str] = []
    broken: list[str] = []
    for claim in experiment.verdict.confirmed_when:
        holds, words = _check(claim, arms, ratio)
        (kept if holds else broken).append(words)
    if broken:
        return Judgement("refuted", f"{'; '.join(broken)}.")
    return Judgement("confirmed", f"{'; '.join(kept)}.")


def unsteady(experiment: Experiment, before: Samples, after: Samples) -> str | None:
    """Return why the steady state did not hold before and after, or ``None`` when it did."""
    limits = experiment.steady_state
    for when, seen in (("before", before), ("after", after)):
        if not seen.latencies_ms or not all(seen.good):
            return f"the steady state did not hold {when} the runs: {_faults(seen)}"
    first, last = percentile(before.latencies_ms, 50), percentile(after.latencies_ms, 50)
    apart, factor = abs(first - last), max(first, last) / max(min(first, last), 1e-9)
    if apart > limits.noise_ms and factor > limits.tolerance:
        return (
            f"the steady state did not hold: its median answer went from {first:.1f} ms before to {last:.1f} ms after, "
            f"more than a factor of {limits.tolerance:g} apart"
        )
    return None


def _worthless(
    experiment: Experiment,
    arms: Mapping[str, Mapping[str, Spread | None]],
    saturated: Mapping[str, str],
    steady: str | None,
) -> str | None:
    limit = experiment.verdict.error_limit
    for name, figure in arms.items():
        errors = figure["error_rate"]
        if errors is not None and errors.high > limit:
            return f"{errors.high:.1%} of the visits of arm {name} failed in one run; {limit:.1%} is the limit."
    if saturated:
        signs = "; ".join(f"arm {name}: {sign}" for name, sign in saturated.items())
        return (
            f"The load generator was the bottleneck ({signs}): these figures are its own, not the store's. Free the "
            "machine of other work, or lower the load."
        )
    return f"{steady[0].upper()}{steady[1:]}." if steady else None


def _check(
    claim: str, arms: Mapping[str, Mapping[str, Spread | None]], ratio: Mapping[str, Spread | None]
) -> tuple[bool, str]:
    match = CLAIM.fullmatch(claim)
    assert match is not None  # noqa: S101 - the parser refused everything else
    kind, name, *figure = match["path"].split(".")
    found = ratio.get(name) if kind == "ratios" else arms[name].get(figure[0])
    label = name if kind == "ratios" else f"{name}.{figure[0]}"
    if found is None:
        return False, f"{label} could not be measured"
    holds = _COMPARE[match["op"]](found.median, float(match["bound"]))
    says = f"is {found.median:.2f} ({found.low:.2f} to {found.high:.2f} over the runs)"
    wanted = f"{match['op']} {match['bound']}"
    return holds, f"{label} {says}, as claimed {wanted}" if holds else f"{label} {says}, not {wanted}"


def _faults(seen: Samples) -> str:
    return ", ".join(f"{count} times {kind}" for kind, count in seen.faults.items()) or "no answers"


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _quotient(over: float | None, under: float | None) -> float | None:
    return None if over is None or not under else over / under
