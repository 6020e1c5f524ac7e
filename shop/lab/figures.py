"""The figures of an experiment: one table defines how each is computed, stored and shown. Pure functions of samples."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Literal

from shop.lab.load import LoadSamples
from shop.lab.statistics import FigureSpread, percentile

Figures = Mapping[str, float | None]

RATIO = re.compile(r"(?P<top>[a-z][\w-]*)\.(?P<over>\w+) / (?P<bottom>[a-z][\w-]*)\.(?P<under>\w+)")
"""How an experiment writes a ratio: ``arm.figure / arm.figure``."""
LAYERS = ("edge", "local", "shared")
BROWSER = "browser"
ANSWER_SOURCES = (BROWSER, *LAYERS, "origin")
"""The possible sources of a response, outermost first."""


@dataclass(frozen=True)
class ArmObservation:
    """The measurements of one arm in one run."""

    arm: str
    open_loop: LoadSamples
    """The phase at the common rate, or all load of a driver with its own load."""
    closed_loop: LoadSamples | None
    """The phase at full speed; ``None`` if the driver has no such phase."""
    measures: Figures = field(default_factory=dict)
    """The driver's own measures."""
    curve: tuple[tuple[float, float], ...] = ()
    anomalies: Mapping[str, float] = field(default_factory=dict)
    """The store's anomaly counts during the measurement; see :mod:`shop.lab.anomalies`."""
    unsettled: str | None = None
    """How far the hit rate still rose during the measurement; ``None`` if it was stable."""

    @property
    def phases(self) -> list[LoadSamples]:
        """Return the samples of every phase."""
        return [self.open_loop, *([self.closed_loop] if self.closed_loop else [])]

    def achieved_rps(self) -> float:
        """Return the visits a second that were answered at the common rate."""
        samples = self.open_loop
        return (len(samples.latencies_ms) - samples.errors.get("unanswered", 0)) / samples.seconds

    def goodput_rps(self, good_within_ms: float) -> float:
        """Return the visits a second that succeeded within so many milliseconds."""
        samples = self.open_loop
        visits = zip(samples.succeeded, samples.latencies_ms, strict=True)
        return sum(succeeded and ms <= good_within_ms for succeeded, ms in visits) / samples.seconds

    def full_speed_rps(self) -> float | None:
        """Return the successful visits a second of the closed loop; ``None`` without a closed loop."""
        samples = self.closed_loop
        return samples.succeeded.count(True) / samples.seconds if samples else None

    def latency_ms(self, percent: float) -> float | None:
        """Return a percentile of the latencies at the common rate."""
        return percentile(self.open_loop.latencies_ms, percent) if self.open_loop.latencies_ms else None

    def error_rate(self) -> float | None:
        """Return the share of failed visits in all phases."""
        failed = sum(samples.succeeded.count(False) for samples in self.phases)
        return _share(failed, sum(len(samples.succeeded) for samples in self.phases))

    def hit_rate(self, layer: str) -> float | None:
        """Return the share of look-ups in a layer that found an entry."""
        return _share(*self.open_loop.lookups.get(layer, (0, 0)))

    def answer_share(self, source: str) -> float | None:
        """Return the share of requests that a source answered; ``None`` for browsers if none was simulated."""
        counts = self.open_loop.answer_counts
        return _share(counts.get(source, None if source == BROWSER else 0), sum(counts.values()))

    def per_visit(self, count: Literal["calls", "queries"]) -> float | None:
        """Return the requests or the database queries of a visit, on average."""
        return _share(getattr(self.open_loop, count), len(self.open_loop.latencies_ms))


@dataclass(frozen=True)
class FigureDefinition:
    """One figure.

    Args:
        name: its name in ratios, claims and ``result.json``.
        compute: returns the figure of an observation; ``None`` if there was nothing to measure. Its second argument is
            the latency in milliseconds above which a response no longer counts as goodput.
        label: its name in the report; empty if the report does not show it.
        unit: ``ms``, ``%`` for a share of one, or empty.
        section: the part of an arm in ``result.json`` that holds it; ``""`` is the arm itself.
    """

    name: str
    compute: Callable[[ArmObservation, float], float | None]
    label: str = ""
    unit: str = ""
    section: Literal["", "hit_rate", "measures"] = ""


def _definitions() -> Iterable[FigureDefinition]:
    define = FigureDefinition
    yield define("offered_rps", lambda arm, _: arm.open_loop.offered / arm.open_loop.seconds, "Offered a second")
    yield define("achieved_rps", lambda arm, _: arm.achieved_rps(), "Answered a second")
    yield define("goodput_rps", ArmObservation.goodput_rps, "Goodput a second")
    yield define("p50_ms", lambda arm, _: arm.latency_ms(50), "Median wait", "ms")
    yield define("p95_ms", lambda arm, _: arm.latency_ms(95), "95th percentile", "ms")
    yield define("p99_ms", lambda arm, _: arm.latency_ms(99), "99th percentile", "ms")
    yield define("most_rps", lambda arm, _: arm.full_speed_rps(), "Most visits a second", "", "measures")
    yield define("error_rate", lambda arm, _: arm.error_rate(), "Failed", "%")
    yield define("calls_per_visit", lambda arm, _: arm.per_visit("calls"), "Requests a visit", "", "measures")
    yield define(
        "db_queries_per_request", lambda arm, _: _share(arm.open_loop.queries, arm.open_loop.calls), "Queries a request"
    )
    yield define("db_queries_per_visit", lambda arm, _: arm.per_visit("queries"), "Queries a visit", "", "measures")
    for layer, label in zip(LAYERS, ("the edge", "local memory", "Valkey"), strict=True):
        hit_rate = partial(_of_name, ArmObservation.hit_rate, layer)
        yield define(f"hit_rate_{layer}", hit_rate, f"Answered by {label}", "%", "hit_rate")
    for source in ANSWER_SOURCES:
        answer_share = partial(_of_name, ArmObservation.answer_share, source)
        label = "Answered by the browser's own copy" if source == BROWSER else ""
        yield define(f"share_{source}", answer_share, label, "%", "measures")
    yield define(
        "generator_cpu",
        lambda arm, _: max((share for one in arm.phases if (share := one.cpu_share) is not None), default=None),
        "Generator, of one core",
        "%",
        "measures",
    )
    yield define("generator_lag_p95_ms", lambda arm, _: arm.open_loop.release_lag_p95_ms, "", "ms", "measures")


def _of_name(
    figure: Callable[[ArmObservation, str], float | None], name: str, arm: ArmObservation, _: float
) -> float | None:
    return figure(arm, name)


def _share(part: float | None, whole: float) -> float | None:
    return part / whole if whole and part is not None else None


FIGURES: Mapping[str, FigureDefinition] = MappingProxyType({figure.name: figure for figure in _definitions()})
"""All figures that are measured in each arm, in the order of the report. A ratio or a claim may use any of them."""


def compute_figures(observation: ArmObservation, good_within_ms: float) -> Figures:
    """Return the figures of one arm in one run by name, the driver's measures included; ``None``: nothing to measure.

    Args:
        observation: the measurements.
        good_within_ms: a slower response is no goodput.
    """
    own = {name: figure.compute(observation, good_within_ms) for name, figure in FIGURES.items()}
    return {**own, **observation.measures}


def compute_ratios(
    expressions: Mapping[str, str], runs: Sequence[Mapping[str, Figures]]
) -> dict[str, FigureSpread | None]:
    """Return each ratio over the runs. Both sides come from the same run, so a drift between runs cancels.

    Args:
        expressions: the expression of each ratio, by name.
        runs: for each run, the figures of each arm.
    """
    ratios = {}
    for name, expression in expressions.items():
        match = RATIO.fullmatch(expression)
        assert match is not None  # noqa: S101 - the parser accepts nothing else
        pairs = [(run[match["top"]][match["over"]], run[match["bottom"]][match["under"]]) for run in runs]
        ratios[name] = FigureSpread.of(None if over is None or not under else over / under for over, under in pairs)
    return ratios
