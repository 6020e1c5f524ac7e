"""One hot key, many clients, and the moment it is gone: expired, just invalidated, or never there.

Each trial has the clients at work before, during and after that moment, and counts how often the value was made afresh
in it, by the store's own count, so that what a background thread does is counted too. Copies in the processes' own
memory are switched off: they would spread the moment over seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import GENERATOR_START_S, ArmAction, DriverContext, DriverMeasure, DriverResult
from shop.lab.load import LoadSamples, merge_samples
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel
from shop.switches.parameters import LAB_PARAMETERS, TTL_SCALE

LEAD_S = 0.8
"""The clients are at work for so long before the moment, and their answers say what is usual."""
KINDS = ("expired", "invalidated", "cold")
PROPAGATION_S = 1.3
"""A knob that was turned is in force in every process within a second, and on a busy machine soon after."""


class StampedeParams(StrictModel):
    """What is told of the trials."""

    path: str
    """Of the hot screen."""
    ttl_class: str = "catalogue"
    ttl_s: float = Field(default=3.0, gt=LEAD_S)
    """How long its entry lives, with the time-to-live scaled as the experiment has it."""
    product: str = ""
    """One whose change ends the hot screen; the most popular where none is named."""
    after_s: float = Field(default=1.2, gt=0)
    clients: int = Field(default=200, ge=1)
    think_s: float = Field(default=0.25, gt=0)
    trials: int = Field(default=1, ge=1)
    """Of each kind, in each run."""


class StampedeDriver:
    """Runs the trials of an arm."""

    params_model = StampedeParams
    faults: Sequence[str] = ("cache",)
    parameters: Sequence[str] = (TTL_SCALE,)
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        **{f"{kind}_loads": DriverMeasure(f"Loads, key {kind}") for kind in KINDS},
        **{f"{kind}_worst_ms": DriverMeasure(f"Slowest answer, key {kind}", "ms") for kind in KINDS},
        **{f"{kind}_p99_ms": DriverMeasure(f"99th percentile, key {kind}", "ms") for kind in KINDS},
        "warm_p99_ms": DriverMeasure("99th percentile, key warm", "ms"),
    }

    def expected_seconds(self, params: StampedeParams, phases: PhaseLengths) -> float:
        """Return about how long the trials of an arm take."""
        return _trials_s(params)

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return how many trials fit."""
        one_trial = StampedeParams.model_validate({**driver_params, "trials": 1})
        return {"trials": max(1, round(seconds / _trials_s(one_trial)))}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: StampedeParams) -> DriverResult:
        """Run every kind of trial; the worst of each is reported, for the mean hides what is to be seen."""
        product = params.product or context.store.products(1)[0]
        title = context.store.title(product)
        context.store.update_product(product, title=title)  # signs in: later there would be no time for it
        moments: dict[str, ArmAction | None] = {
            "expired": None,
            "invalidated": lambda: context.store.update_product(product, title=title),
            "cold": lambda: context.store.set_fault("cache", "flush"),
        }
        found: dict[str, list[tuple[int, LoadSamples]]] = {}
        for kind, act in moments.items():
            if kind == KINDS[1]:  # from here on nothing may end by itself while something else is looked at
                context.store.set_parameter(TTL_SCALE, LAB_PARAMETERS[TTL_SCALE].default)
                context.wait(PROPAGATION_S)
            found[kind] = [self._trial(context, arm, params, kind, act) for _ in range(params.trials)]
        measures: dict[str, float | None] = {}
        warm: list[float] = []
        for kind, trials in found.items():
            later = [ms for _, samples in trials for ms in _latencies(samples, lambda due: due >= LEAD_S)]
            warm += [ms for _, samples in trials for ms in _latencies(samples, lambda due: due < LEAD_S)]
            measures[f"{kind}_loads"] = float(max(loads for loads, _ in trials))
            measures[f"{kind}_worst_ms"] = max(later, default=None)
            measures[f"{kind}_p99_ms"] = percentile(later, 99) if later else None
        measures["warm_p99_ms"] = percentile(warm, 99) if warm else None
        return DriverResult(merge_samples([samples for trials in found.values() for _, samples in trials]), measures)

    def _trial(
        self, context: DriverContext, arm: ExperimentArm, params: StampedeParams, kind: str, act: ArmAction | None
    ) -> tuple[int, LoadSamples]:
        plan = context.load_phase(
            arm, LEAD_S + params.after_s, concurrency=params.clients, think_s=params.think_s, browsers=0
        )
        context.store.set_fault("cache", "flush")
        context.store.visit(params.path)
        if act is None:  # its time must be over WARM_S after the load began: count back from there
            context.wait(max(0.0, params.ttl_s - LEAD_S - context.start_delay_s))
        before = context.store.load_count(params.ttl_class)
        samples = context.offer(f"{arm.title}: key {kind}", plan, [(LEAD_S, act or _wait_for_its_end)])
        return context.store.load_count(params.ttl_class) - before, samples


def _trials_s(params: StampedeParams) -> float:
    """Return the seconds that all trials take."""
    lifetime_s = max(0.0, params.ttl_s - LEAD_S - GENERATOR_START_S)
    each_s = len(KINDS) * (GENERATOR_START_S + LEAD_S + params.after_s) + lifetime_s
    return params.trials * each_s + PROPAGATION_S


def _wait_for_its_end() -> None:
    """Do nothing: time does it. That something is planned makes the load begin at its moment."""


def _latencies(samples: LoadSamples, wanted: Callable[[float], bool]) -> list[float]:
    return [ms for ms, due in zip(samples.latencies_ms, samples.due_s, strict=True) if wanted(due)]
