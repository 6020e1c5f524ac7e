"""The cache, or the database, is lost in the middle of the day. What shoppers see, and how it comes back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult, fault_actions
from shop.lab.load import LoadSamples
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel

CACHE_LAYERS = frozenset({"browser", "edge", "local", "shared"})


class LossParams(StrictModel):
    """What is told of the load."""

    rate: float = Field(default=60.0, gt=0)
    warm_up_s: float = Field(default=2.0, gt=0)
    """As fast as it goes, before that, and again until the hit rate has settled."""
    seconds: float = Field(default=14.0, gt=0)
    grace_s: float = Field(default=2.0, ge=0)
    """After the loss, before the answers must be as quick as without a cache."""
    recovered: float = Field(default=0.9, gt=0, le=1)
    """Share of its earlier hit rate at which the cache counts as back."""
    bucket_s: float = Field(default=1.0, gt=0)


class LossDriver:
    """Offers one rate throughout while the arm's actions happen."""

    params_model = LossParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "outage_p99_ms": DriverMeasure("99th percentile while it was lost, after the grace", "ms"),
        "outage_worst_ms": DriverMeasure("Slowest answer after the loss", "ms"),
        "hit_rate_before": DriverMeasure("Answered by a cache before the loss", "%"),
        "recovery_s": DriverMeasure("Until the hit rate was back", "s"),
        "peak_loads_rps": DriverMeasure("Most loads in a second, afterwards", "/s"),
        "burst": DriverMeasure("Those loads, of what was asked for", "%"),
    }

    def expected_seconds(self, params: LossParams, phases: PhaseLengths) -> float:
        """Return how long an arm takes."""
        return params.warm_up_s + params.seconds + 2

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Change nothing: the actions have their moments."""
        return {}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: LossParams) -> DriverResult:
        """Warm up, then load, lose, and watch."""
        context.warm_up(arm, params.warm_up_s)
        plan = context.load_phase(arm, params.seconds, mode="open", rate=params.rate)
        samples = context.offer(arm.title, plan, fault_actions(context.store, arm.actions))
        return DriverResult(samples, compute_measures(samples, params, [action.at_s for action in arm.actions]))


def compute_measures(samples: LoadSamples, params: LossParams, moments: Sequence[float]) -> dict[str, float | None]:
    """Return the measures of one load during which the cache was lost.

    Args:
        samples: what was seen.
        params: grace, buckets and what counts as recovered.
        moments: when the cache was lost, and when it was params back; one moment where the loss is over at once, none
            where nothing was lost.
    """
    lost, back = (moments[0], moments[-1]) if moments else (0.0, 0.0)
    away_until = back if len(moments) > 1 else params.seconds
    later = lost + params.grace_s
    outage = _where(samples, lambda due: later <= due < away_until)
    after = _where(samples, lambda due: due >= lost)
    before = _share(_answers(samples, lambda due: due < lost))
    peak = max(_loads_a_bucket(samples, back, params), default=0) / params.bucket_s if moments else None
    return {
        "outage_p99_ms": percentile(outage, 99) if outage else None,
        "outage_worst_ms": max(after, default=None) if moments else None,
        "hit_rate_before": before,
        "recovery_s": _recovery(samples, back, params, before) if moments and before else None,
        "peak_loads_rps": peak,
        "burst": None if peak is None else peak / params.rate,
    }


def _recovery(samples: LoadSamples, back: float, params: LossParams, before: float) -> float | None:
    """Return seconds from the return to the end of the first window with the hit rate of before; ``None``: never."""
    start = back
    while start + params.bucket_s <= params.seconds:
        share = _share(_answers(samples, lambda due, at=start: at <= due < at + params.bucket_s))  # type: ignore[misc]
        if share is not None and share >= before * params.recovered:
            return start + params.bucket_s - back
        start += params.bucket_s / 4
    return None


def _loads_a_bucket(samples: LoadSamples, since: float, params: LossParams) -> list[int]:
    count = int((params.seconds - since) / params.bucket_s)
    edges = [since + number * params.bucket_s for number in range(count)]
    return [
        _answers(samples, lambda due, at=at: at <= due < at + params.bucket_s).count("origin")  # type: ignore[misc]
        for at in edges
    ]


def _where(samples: LoadSamples, wanted: Callable[[float], bool]) -> list[float]:
    return [ms for ms, due in zip(samples.latencies_ms, samples.due_s, strict=True) if wanted(due)]


def _answers(samples: LoadSamples, wanted: Callable[[float], bool]) -> list[str]:
    return [who for who, due in zip(samples.answered_by, samples.due_s, strict=True) if wanted(due)]


def _share(answers: Sequence[str]) -> float | None:
    return sum(who in CACHE_LAYERS for who in answers) / len(answers) if answers else None
