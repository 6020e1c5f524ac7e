"""Figures of an experiment: pure functions over raw samples, tested by table. What they say is judged elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shop.lab.experiment import RATIO, LabExperiment
from shop.lab.load import LoadSamples
from shop.lab.statistics import FigureSpread, percentile

Figures = Mapping[str, float | None]

LAYERS = ("edge", "local", "shared")
ANSWER_SOURCES = ("browser", *LAYERS, "origin")
"""Who may have the answer, outermost first."""


@dataclass(frozen=True)
class ArmObservation:
    """One arm in one run: the phase at the common rate, and the phase as fast as it goes."""

    arm: str
    open_loop: LoadSamples
    closed_loop: LoadSamples | None
    """``None`` where a driver did not drive it as fast as it goes."""
    measures: Figures = field(default_factory=dict)
    """What a driver found out beside."""
    curve: tuple[tuple[float, float], ...] = ()
    anomalies: Mapping[str, float] = field(default_factory=dict)
    """What the store counted as trouble meanwhile; see :mod:`shop.lab.anomalies`."""
    unsettled: str | None = None
    """How far the hit rate still rose while it was measured; ``None`` where it stood."""


def compute_figures(seen: ArmObservation, good_within_ms: float) -> Figures:
    """Return the figures of one arm in one run, by name; ``None`` where nothing was there to be measured."""
    paced, latencies = seen.open_loop, seen.open_loop.latencies_ms
    within = sum(good and ms <= good_within_ms for good, ms in zip(paced.succeeded, latencies, strict=True))
    both = [seen.open_loop, *([seen.closed_loop] if seen.closed_loop else [])]
    answered = sum(paced.answer_counts.values())
    return {
        "offered_rps": paced.offered / paced.seconds,
        "achieved_rps": (len(latencies) - paced.errors.get("unanswered", 0)) / paced.seconds,
        "goodput_rps": within / paced.seconds,
        **{f"p{percent}_ms": percentile(latencies, percent) if latencies else None for percent in (50, 95, 99)},
        "error_rate": _share(sum(s.succeeded.count(False) for s in both), sum(len(s.succeeded) for s in both)),
        "db_queries_per_request": _share(paced.queries, paced.calls),
        "db_queries_per_visit": _share(paced.queries, len(latencies)),
        "calls_per_visit": _share(paced.calls, len(latencies)),
        "most_rps": seen.closed_loop.succeeded.count(True) / seen.closed_loop.seconds if seen.closed_loop else None,
        "generator_cpu": max(s.cpu_share for s in both),
        "generator_lag_p95_ms": paced.release_lag_p95_ms,
        **{f"hit_rate_{layer}": _share(*paced.lookups.get(layer, (0, 0))) for layer in LAYERS},
        **{f"share_{who}": _share(paced.answer_counts.get(who, 0), answered) for who in ANSWER_SOURCES},
        **seen.measures,
    }  # the names are declared in shop.lab.experiment.FIGURES


def compute_ratios(experiment: LabExperiment, runs: Sequence[Mapping[str, Figures]]) -> dict[str, FigureSpread | None]:
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
        found[name] = FigureSpread.of(_quotient(over, under) for over, under in pairs)
    return found


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _quotient(over: float | None, under: float | None) -> float | None:
    return None if over is None or not under else over / under
