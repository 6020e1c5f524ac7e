"""Driver: the cache or the database is lost during the load; measures the outage and the recovery."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult, fault_actions
from shop.lab.load import LoadSamples
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel

CACHE_LAYERS = frozenset({"browser", "edge", "local", "shared"})


READY_S = 0.7
"""About how long it takes until a server that was down is ready again."""


class LossParams(StrictModel):
    """Parameters of the driver."""

    rate: float = Field(default=60.0, gt=0)
    warm_up_s: float = Field(default=2.0, gt=0)
    """Length of one round of the warm-up at full speed; rounds are repeated until the hit rate is stable."""
    renew: bool = False
    """Whether to end every entry first, by an edit of each product: an entry of before has an unscaled lifetime."""
    seconds: float = Field(default=14.0, gt=0)
    grace_s: float = Field(default=2.0, ge=0)
    """After the loss, so many seconds do not count for the latency of the outage."""
    recovered: float = Field(default=0.9, gt=0, le=1)
    """The cache has recovered when its hit rate reaches this share of the hit rate before the loss."""
    bucket_s: float = Field(default=1.0, gt=0)
    """Hit rate and loads are counted in windows of so many seconds."""


class LossDriver:
    """Offers load at a constant rate while the arm's actions run."""

    params_model = LossParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "outage_p99_ms": DriverMeasure("99th percentile during the outage, after the grace period", "ms"),
        "outage_worst_ms": DriverMeasure("Slowest answer after the loss", "ms"),
        "hit_rate_before": DriverMeasure("Answered by a cache before the loss", "%"),
        "recovery_s": DriverMeasure("Time until the hit rate recovered", "s"),
        "peak_loads_rps": DriverMeasure("Most loads a second after the return", "/s"),
        "burst": DriverMeasure("Those loads as a share of the visits", "%"),
    }

    def expected_seconds(self, params: LossParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        return params.warm_up_s + params.seconds + READY_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return nothing to change: the actions have fixed times."""
        return {}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: LossParams) -> DriverResult:
        """Warm up, then offer load while the actions run."""
        if params.renew:
            for product in context.load_phase(arm, 1).products:
                context.store.update_product(product, title=context.store.title(product))
        context.warm_up(arm, params.warm_up_s)
        phase = context.load_phase(arm, params.seconds, mode="open", rate=params.rate)
        samples = context.offer(arm.title, phase, fault_actions(context.store, arm.actions))
        return DriverResult(samples, compute_measures(samples, params, [action.at_s for action in arm.actions]))


def compute_measures(samples: LoadSamples, params: LossParams, actions_s: Sequence[float]) -> dict[str, float | None]:
    """Return the measures of one load during which the cache was lost.

    Args:
        samples: the samples of the load.
        params: grace period, windows and the share that counts as recovered.
        actions_s: when the cache was lost and when it came back, in seconds; one time if the loss lasts only a moment,
            empty if nothing was lost.
    """
    lost, back = (actions_s[0], actions_s[-1]) if actions_s else (0.0, 0.0)
    outage_end = back if len(actions_s) > 1 else params.seconds
    outage = _latencies(samples, lost + params.grace_s, outage_end)
    after = _latencies(samples, lost, math.inf)
    before = _hit_rate(_sources(samples, -math.inf, lost))
    windows = [back + number * params.bucket_s for number in range(int((params.seconds - back) / params.bucket_s))]
    loads = [_sources(samples, start, start + params.bucket_s).count("origin") for start in windows]
    peak = max(loads, default=0) / params.bucket_s if actions_s else None
    return {
        "outage_p99_ms": percentile(outage, 99) if outage else None,
        "outage_worst_ms": max(after, default=None) if actions_s else None,
        "hit_rate_before": before,
        "recovery_s": _recovery_s(samples, back, params, before) if actions_s and before else None,
        "peak_loads_rps": peak,
        "burst": None if peak is None else peak / params.rate,
    }


def _recovery_s(samples: LoadSamples, back: float, params: LossParams, before: float) -> float | None:
    """Return the seconds from the return to the end of the first window with the old hit rate; ``None``: never."""
    start = back
    while start + params.bucket_s <= params.seconds:
        hit_rate = _hit_rate(_sources(samples, start, start + params.bucket_s))
        if hit_rate is not None and hit_rate >= before * params.recovered:
            return start + params.bucket_s - back
        start += params.bucket_s / 4
    return None


def _latencies(samples: LoadSamples, start: float, end: float) -> list[float]:
    """Return the latencies of visits that were due in a window."""
    return [ms for ms, due in zip(samples.latencies_ms, samples.due_s, strict=True) if start <= due < end]


def _sources(samples: LoadSamples, start: float, end: float) -> list[str]:
    """Return the sources of the responses to visits that were due in a window."""
    return [source for source, due in zip(samples.answered_by, samples.due_s, strict=True) if start <= due < end]


def _hit_rate(sources: Sequence[str]) -> float | None:
    return sum(source in CACHE_LAYERS for source in sources) / len(sources) if sources else None
