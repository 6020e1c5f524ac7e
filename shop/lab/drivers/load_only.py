"""The default driver: every arm gets the same visits at the same rate, then as many as it can answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import PHASE_START_S, DriverContext, DriverMeasure, DriverResult, fault_actions
from shop.lab.strict_model import StrictModel
from shop.lab.warm_up import HitRateRise


class LoadOnlyParams(StrictModel):
    """No parameters: the experiment's phases give the lengths."""


class LoadOnlyDriver:
    """Warms up, measures latency in an open loop, and throughput in a closed loop."""

    params_model = LoadOnlyParams
    measures: Mapping[str, DriverMeasure] = {}
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False

    def expected_seconds(self, params: LoadOnlyParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run: three phases."""
        return phases.warm_up_s + phases.open_s + phases.closed_s + 3 * PHASE_START_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return nothing to change: the phases give the lengths."""
        return {}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: LoadOnlyParams) -> DriverResult:
        """Warm up, then measure at the common rate and at full speed."""
        phases = context.phases_of(arm)
        unsettled = context.warm_up(arm, phases.warm_up_s)
        actions = fault_actions(context.store, arm.actions)
        open_loop = context.load_phase(arm, phases.open_s, mode="open", rate=context.rate)
        samples = context.offer(f"{arm.title}: {context.rate:.0f} visits/s", open_loop, actions)
        full_speed = context.load_phase(arm, phases.closed_s, ceiling_rps=context.ceiling_rps)
        closed_loop = context.offer(f"{arm.title}: full speed", full_speed)
        rise = HitRateRise.of(samples)
        if unsettled is None and rise and rise.still_rose and not actions:
            unsettled = f"its hit rate went {rise.describe()} while it was measured"
        return DriverResult(samples, {}, closed_loop=closed_loop, unsettled=unsettled)
