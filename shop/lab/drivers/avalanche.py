"""Driver: fills many keys at the same time and measures how many loads a second the database gets when they expire."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.strict_model import StrictModel
from shop.switches.parameters import TTL_SCALE

FILL_S = 0.6
"""About how long it takes to fill the cache."""


class AvalancheParams(StrictModel):
    """Parameters of the driver."""

    path: str
    """With ``{product}``; one key for each product of the workload."""
    ttl_s: float = Field(default=15.0, gt=4)
    """Lifetime of an entry, with the time-to-live scaled as in the experiment."""
    rate: float = Field(default=300.0, gt=0)
    """Visits a second while the entries expire; all products are equally popular."""
    jitter: float = Field(default=0.1, ge=0, lt=0.5)
    """The spread of lifetimes, as a share; it gives the length of the load."""
    margin_s: float = Field(default=1.0, gt=0)
    """Seconds before the first and after the last entry can expire."""
    bucket_s: float = Field(default=0.5, gt=0)
    """Loads are counted in windows of so many seconds."""


class AvalancheDriver:
    """Fills all keys at the same time and measures the loads when they expire."""

    params_model = AvalancheParams
    faults: Sequence[str] = ("cache",)
    parameters: Sequence[str] = (TTL_SCALE,)
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "peak_loads_rps": DriverMeasure("Loads a second in the worst half second", "/s"),
        "mean_loads_rps": DriverMeasure("Loads a second, mean", "/s"),
        "reloaded": DriverMeasure("Values loaded again"),
    }

    def expected_seconds(self, params: AvalancheParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        return params.ttl_s + _lead_s(params) + params.margin_s + FILL_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return nothing to change: the lifetime gives the length."""
        return {}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: AvalancheParams) -> DriverResult:
        """Fill the cache, wait for most of the lifetime, and offer load while the entries expire."""
        context.store.set_fault("cache", "flush")
        context.store.visit_all([params.path.format(product=slug) for slug in context.load_phase(arm, 1).products])
        lead_s = _lead_s(params)
        context.wait(max(0.0, params.ttl_s - lead_s - context.start_delay_s))
        phase = context.load_phase(
            arm, 2 * lead_s + params.margin_s, mode="open", rate=params.rate, arrivals="constant", exponent=0.0
        )
        samples = context.offer(f"{arm.title}: entries expire", phase)
        loads = [due for due, source in zip(samples.due_s, samples.answered_by, strict=True) if source == "origin"]
        buckets = Counter(int(due / params.bucket_s) for due in loads)
        return DriverResult(
            samples,
            {
                "peak_loads_rps": max(buckets.values(), default=0) / params.bucket_s,
                "mean_loads_rps": len(loads) / samples.seconds,
                "reloaded": float(len(loads)),
            },
        )


def _lead_s(params: AvalancheParams) -> float:
    """Return how long before the middle of the expiry the load begins, in seconds."""
    return params.ttl_s * params.jitter + params.margin_s
