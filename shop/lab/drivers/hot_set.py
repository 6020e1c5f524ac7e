"""Driver: measures the hit rate of the cache at several memory limits, for the demand of the arm."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import PHASE_START_S, DriverContext, DriverMeasure, DriverResult
from shop.lab.load import LoadSamples, merge_samples
from shop.lab.strict_model import StrictModel
from shop.switches.parameters import CACHE_MEMORY

STEPS = 8
"""The most steps; each has a name, so that a claim can name it."""


class HotSetParams(StrictModel):
    """Parameters of the driver."""

    limits_mb: tuple[float, ...] = Field(default=(2, 4, 8, 16), min_length=2, max_length=STEPS)
    """Memory limits, rising, so that the entries of one step stay for the next."""
    fill_s: float = Field(default=4.0, gt=0)
    measure_s: float = Field(default=2.0, gt=0)


class HotSet:
    """Raises the memory limit step by step and measures the hit rate at each step."""

    params_model = HotSetParams
    faults: Sequence[str] = ("cache",)
    parameters: Sequence[str] = (CACHE_MEMORY,)
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "hit_rate_least": DriverMeasure("Hit rate with the least memory", "%"),
        "hit_rate_most": DriverMeasure("Hit rate with the most memory", "%"),
        **{f"hit_rate_step_{step}": DriverMeasure(f"Hit rate, step {step}", "%") for step in range(1, STEPS + 1)},
    }

    def expected_seconds(self, params: HotSetParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        return len(params.limits_mb) * (params.fill_s + params.measure_s + 2 * PHASE_START_S)

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return lengths of the steps that add up to so many seconds."""
        params = HotSetParams.model_validate(driver_params)
        share = seconds / (len(params.limits_mb) * (params.fill_s + params.measure_s))
        return {"fill_s": params.fill_s * share, "measure_s": params.measure_s * share}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: HotSetParams) -> DriverResult:
        """Empty the cache, then fill it and measure at each limit."""
        context.store.set_fault("cache", "flush")
        curve: list[tuple[float, float]] = []
        parts: list[LoadSamples] = []
        for limit in params.limits_mb:
            context.store.set_parameter(CACHE_MEMORY, limit)
            context.offer(f"{arm.title}: {limit:g} MB, filling", context.load_phase(arm, params.fill_s))
            samples = context.offer(f"{arm.title}: {limit:g} MB", context.load_phase(arm, params.measure_s))
            parts.append(samples)
            if samples.answer_counts:
                curve.append((limit, samples.answer_counts.get("shared", 0) / sum(samples.answer_counts.values())))
        rates = [rate for _, rate in curve]
        steps = {f"hit_rate_step_{step}": rate for step, rate in enumerate(rates, start=1)}
        measures: dict[str, float | None] = {
            **dict.fromkeys(self.measures),
            **steps,
            "hit_rate_least": rates[0] if rates else None,
            "hit_rate_most": rates[-1] if rates else None,
        }
        return DriverResult(merge_samples(parts), measures, tuple(curve))
