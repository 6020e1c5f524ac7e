"""Many keys filled together, and the moment their time is over: how many loads a second the database then meets."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import GENERATOR_START_S, DriverContext, DriverMeasure, DriverResult
from shop.lab.strict_model import StrictModel
from shop.switches.parameters import TTL_SCALE


class AvalancheParams(StrictModel):
    """What is told of the keys."""

    path: str
    """With ``{product}``; a key each of the workload's products."""
    ttl_s: float = Field(default=15.0, gt=4)
    """How long an entry lives, with the time-to-live scaled as the experiment has it."""
    rate: float = Field(default=300.0, gt=0)
    """Visits a second, all products alike, while the entries' time is over."""
    jitter: float = Field(default=0.1, ge=0, lt=0.5)
    """How far lifetimes are spread, as a share: it says for how long to look."""
    bucket_s: float = Field(default=0.5, gt=0)
    """Loads are counted in windows of so many seconds."""


class AvalancheDriver:
    """Fills all keys at once and waits for their end."""

    params_model = AvalancheParams
    faults: Sequence[str] = ("cache",)
    parameters: Sequence[str] = (TTL_SCALE,)
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "peak_loads_rps": DriverMeasure("Loads in the worst half second, a second", "/s"),
        "mean_loads_rps": DriverMeasure("Loads, a second in the mean", "/s"),
        "reloaded": DriverMeasure("Values made afresh"),
    }

    def expected_seconds(self, params: AvalancheParams, phases: PhaseLengths) -> float:
        """Return how long an arm takes."""
        return params.ttl_s * (1 + 2 * params.jitter) + 5 + GENERATOR_START_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Change nothing: a lifetime is as long as it is."""
        return {}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: AvalancheParams) -> DriverResult:
        """Fill, wait for most of the lifetime, and look at the rest of it under load."""
        context.store.set_fault("cache", "flush")
        context.store.visit_all([params.path.format(product=slug) for slug in context.load_phase(arm, 1).products])
        ahead = params.ttl_s * params.jitter + 1.0
        context.wait(max(0.0, params.ttl_s - ahead - context.start_delay_s))
        plan = context.load_phase(
            arm, 2 * ahead + 1.0, mode="open", rate=params.rate, arrivals="constant", exponent=0.0
        )
        samples = context.offer(f"{arm.title}: their time is over", plan)
        loads = [due for due, who in zip(samples.due_s, samples.answered_by, strict=True) if who == "origin"]
        buckets = Counter(int(due / params.bucket_s) for due in loads)
        return DriverResult(
            samples,
            {
                "peak_loads_rps": max(buckets.values(), default=0) / params.bucket_s,
                "mean_loads_rps": len(loads) / samples.seconds,
                "reloaded": float(len(loads)),
            },
        )
