"""Driver: many clients request one hot key while it disappears: it expires, is invalidated, or the cache is emptied.

In each trial, the clients request the key before, during and after its end. The store's own counter counts the loads,
so loads of background threads count too. Local memory is switched off, since its copies would spread the end of the key
over seconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.driver_context import STAYING_START_S, ArmAction, DriverContext, DriverMeasure, DriverResult
from shop.lab.load import LoadSamples, merge_samples
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel
from shop.switches.parameters import LAB_PARAMETERS, TTL_SCALE

LEAD_S = 0.8
"""The clients begin so long before the end of the key; their responses in this time show the usual latency."""
KINDS = ("expired", "invalidated", "cold")
FLUSH_S = 0.9
"""About how long it takes to empty the cache and to fill the key."""
PROPAGATION_S = 0.5
"""About how long it takes until every process applies a changed store parameter."""


class StampedeParams(StrictModel):
    """Parameters of the driver."""

    path: str
    """The path of the hot screen."""
    ttl_class: str = "catalogue"
    ttl_s: float = Field(default=3.0, gt=LEAD_S)
    """Lifetime of its entry, with the time-to-live scaled as in the experiment."""
    product: str = ""
    """A product whose edit invalidates the hot screen; by default the most popular one."""
    after_s: float = Field(default=1.2, gt=0)
    """Length of the load after the end of the key."""
    clients: int = Field(default=200, ge=1)
    think_s: float = Field(default=0.25, gt=0)
    trials: int = Field(default=1, ge=1)
    """Trials of each kind in each run."""


class StampedeDriver:
    """Runs the trials of an arm, one kind after the other."""

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
        """Return how many trials fit into so many seconds."""
        one_trial = StampedeParams.model_validate({**driver_params, "trials": 1})
        return {"trials": max(1, round(seconds / _trials_s(one_trial)))}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: StampedeParams) -> DriverResult:
        """Run every kind of trial; report the worst trial of each kind, since a mean would hide the stampede."""
        product = params.product or context.store.products(1)[0]
        title = context.store.title(product)
        context.store.update_product(product, title=title)  # logs in now, since a trial leaves no time for it
        endings: dict[str, ArmAction] = {
            "expired": lambda: None,  # the entry expires by itself; an action makes the load begin at a known time
            "invalidated": lambda: context.store.update_product(product, title=title),
            "cold": lambda: context.store.set_fault("cache", "flush"),
        }
        trials: dict[str, list[tuple[int, LoadSamples]]] = {}
        for kind, end_entry in endings.items():
            if kind == KINDS[1]:  # in the other trials, no entry may expire
                context.store.set_parameter(TTL_SCALE, LAB_PARAMETERS[TTL_SCALE].default)
                context.store.wait_applied()
            trials[kind] = [self._run_trial(context, arm, params, kind, end_entry) for _ in range(params.trials)]
        measures: dict[str, float | None] = {}
        warm: list[float] = []
        for kind, of_kind in trials.items():
            visits = [
                visit for _, samples in of_kind for visit in zip(samples.due_s, samples.latencies_ms, strict=True)
            ]
            warm += [ms for due, ms in visits if due < LEAD_S]
            after = [ms for due, ms in visits if due >= LEAD_S]
            measures[f"{kind}_loads"] = float(max(loads for loads, _ in of_kind))
            measures[f"{kind}_worst_ms"] = max(after, default=None)
            measures[f"{kind}_p99_ms"] = percentile(after, 99) if after else None
        measures["warm_p99_ms"] = percentile(warm, 99) if warm else None
        return DriverResult(merge_samples([samples for of_kind in trials.values() for _, samples in of_kind]), measures)

    def _run_trial(
        self, context: DriverContext, arm: ExperimentArm, params: StampedeParams, kind: str, end_entry: ArmAction
    ) -> tuple[int, LoadSamples]:
        """Fill the key, offer load while the key ends, and return the number of loads with the samples."""
        phase = context.load_phase(
            arm, LEAD_S + params.after_s, concurrency=params.clients, think_s=params.think_s, browsers=0
        )
        context.store.set_fault("cache", "flush")
        context.store.visit(params.path)
        if kind == "expired":  # the entry must expire LEAD_S after the begin of the load
            context.wait(max(0.0, params.ttl_s - LEAD_S - context.start_delay_s))
        before = context.store.load_count(params.ttl_class)
        samples = context.offer(f"{arm.title}: key {kind}", phase, [(LEAD_S, end_entry)])
        return context.store.load_count(params.ttl_class) - before, samples


def _trials_s(params: StampedeParams) -> float:
    """Return the seconds that all trials take."""
    lifetime_s = max(0.0, params.ttl_s - LEAD_S - STAYING_START_S)
    each_s = len(KINDS) * (FLUSH_S + STAYING_START_S + LEAD_S + params.after_s) + lifetime_s
    return params.trials * each_s + PROPAGATION_S
