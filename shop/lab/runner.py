"""Runs an experiment: steady state, the arms in turn, steady state again."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from shop.errors import ServiceUnavailable
from shop.lab import drivers, load
from shop.lab.anomalies import AnomalyCounters, increases
from shop.lab.arms import ExperimentArm
from shop.lab.drivers.driver_context import GENERATOR_START_S, ArmAction, ScheduledActions, fault_actions
from shop.lab.experiment import LabExperiment
from shop.lab.figures import ArmObservation
from shop.lab.load import LoadPhase, LoadSamples
from shop.lab.store_client import StoreClient
from shop.lab.warm_up import HitRateRise

STEADY_STATE_CONNECTIONS = 4
SEEDS_PER_RUN = 1000


class ProgressWatcher(Protocol):
    """Shows how far an experiment is."""

    def phase(self, text: str) -> None:
        """Another part begins."""

    def advance(self, seconds: float) -> None:
        """Time went by."""


@dataclass(frozen=True)
class RunRecord:
    """All that was seen."""

    rate: float
    """Visits a second that both arms were offered."""
    before: LoadSamples
    after: LoadSamples
    observations: tuple[tuple[ArmObservation, ...], ...]
    """For each run, one observation an arm, in the order they were made."""


class ExperimentRunner:
    """Runs one experiment against a running store. The caller restores the switches.

    Args:
        experiment: what to run.
        store: against which store.
        watcher: told of progress.
        offer: runs one phase of load.
        start_s: seconds until it can begin, for what is timed from there.
    """

    def __init__(
        self,
        experiment: LabExperiment,
        store: StoreClient,
        watcher: ProgressWatcher,
        offer: Callable[[LoadPhase, Callable[[], None]], LoadSamples] = load.run_phase,
        start_s: float = GENERATOR_START_S,
    ) -> None:
        self._experiment = experiment
        self._store = store
        self._watcher = watcher
        self._offer = offer
        self._start_s = start_s
        self._seed = 0
        self._label = ""
        self._ceiling: float | None = None
        self._troubles = AnomalyCounters(store)
        visits = [visit for arm in experiment.arms for visit in experiment.visits_of(arm)]
        paths = "".join(path for visit in visits for path in (*visit.paths, *visit.then))
        self._products = store.products(experiment.workload.products) if "{product}" in paths else ()
        self._categories = store.categories() if "{category}" in paths else ()

    def run(self) -> RunRecord:
        """Run it from start to end.

        Raises:
            ConfigurationError: the store refuses a switch.
            ServiceUnavailable: the store or the generator broke down.
        """
        experiment = self._experiment
        before = self._measure_steady_state("steady state, before")
        rate = self._rate()
        runs = []
        for number in range(experiment.phases.runs):
            # Alternating the order cancels what drifts with time: caches that fill, a machine that warms up.
            arms = experiment.arms if number % 2 == 0 else tuple(reversed(experiment.arms))
            runs.append(tuple(self.measure_arm(arm, rate, number) for arm in arms))
        return RunRecord(rate, before, self._measure_steady_state("steady state, after"), tuple(runs))

    def measure_arm(self, arm: ExperimentArm, rate: float, number: int = 0) -> ArmObservation:
        """Measure one arm once: flip, break what it wants broken, look, mend.

        Args:
            arm: which.
            rate: visits a second, where they are offered at a rate.
            number: of the run, from 0.
        """
        self._label = f"run {number + 1} of {self._experiment.phases.runs}"
        self._seed = (number + 1) * SEEDS_PER_RUN  # every arm of a run meets the same shoppers in the same order
        self._flip(arm, arm.title)
        before = self._troubles.read()
        for name, value in arm.faults.items():
            self._store.set_fault(name, value)
        try:
            seen = self._measure(arm, rate)
            return replace(seen, anomalies=increases(before, self._troubles.read()))
        finally:
            self._label = ""
            if self._experiment.fault_names():
                self._store.clear_faults()

    @property
    def store(self) -> StoreClient:
        """Return the store."""
        return self._store

    @property
    def start_delay_s(self) -> float:
        """Return the seconds from the start of a load at which acts are planned to the moment it begins."""
        return self._start_s

    def load_phase(self, arm: ExperimentArm, seconds: float, **other: Any) -> LoadPhase:
        """Return an arm's load for so many seconds; closed loop unless said otherwise."""
        workload = self._experiment.workload
        self._seed += 1  # no phase repeats another's visits, which would find everything warm
        given: dict[str, Any] = {
            "base_url": self._store.base_url,
            "mode": "closed",
            "arrivals": workload.arrivals,
            "duration_s": seconds,
            "concurrency": workload.connections,
            "timeout_s": workload.timeout_s,
            "visits": self._experiment.visits_of(arm),
            "products": self._products,
            "categories": self._categories,
            "exponent": self._experiment.exponent_of(arm),
            "unknowns": workload.unknowns,
            "browsers": arm.browsers,
            "seed": self._seed,
        }
        return LoadPhase.model_validate({**given, **other})

    def warm_up(self, arm: ExperimentArm, seconds: float) -> str | None:
        """Visit as fast as it goes until the hit rate has settled; return how far it still rose where it did not.

        Args:
            arm: whose load.
            seconds: how long to visit at least, and then again.
        """
        limit_s, warmed_s = self._experiment.phases.warm_up_limit_s, 0.0
        while True:
            rise = HitRateRise.of(self.offer(f"{arm.title}: warm-up", self.load_phase(arm, seconds)))
            warmed_s += seconds
            if rise is not None and rise.has_settled:
                return None
            if warmed_s + seconds > limit_s:
                if rise is None or rise.second <= rise.first:
                    return None
                return f"its hit rate went {rise.describe()} at the end of a warm-up of {warmed_s:.0f} s"

    def offer(self, label: str, plan: LoadPhase, acts: Sequence[tuple[float, ArmAction]] = ()) -> LoadSamples:
        """Offer load, doing each act at its moment, in seconds after the load began."""
        self._watcher.phase(f"{self._label}: {label}" if self._label else label)
        begin_at = time.monotonic() + self._start_s
        plan = plan.model_copy(update={"begin_at": begin_at}) if acts else plan
        with ScheduledActions(begin_at, acts):
            return self._offer(plan, lambda: self._watcher.advance(load.PROGRESS_EVERY_S))

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, load.PROGRESS_EVERY_S))
            self._watcher.advance(min(left, load.PROGRESS_EVERY_S))

    def flip(self, label: str, arm: ExperimentArm, switches: Mapping[str, str]) -> None:
        """Flip an arm's switches, some of them otherwise, and wait until every process knows."""
        self._flip(arm, label, switches)

    def _measure(self, arm: ExperimentArm, rate: float) -> ArmObservation:
        phases, label = self._experiment.phases, arm.title
        if self._experiment.driver != drivers.LOAD_ONLY:
            seen = self._experiment.arm_driver.measure(self, arm, self._experiment.driver_params_for(arm))
            return ArmObservation(arm.name, seen.samples, None, seen.measures, seen.curve)
        unsettled = self.warm_up(arm, self._experiment.warm_up_s_of(arm))
        acts = fault_actions(self._store, arm.actions)
        paced = self._phase(f"{label}: {rate:.0f} visits/s", arm, "open", phases.open_s, rate, acts=acts)
        plan = self.load_phase(arm, phases.closed_s, ceiling_rps=self._ceiling)
        fastest = self.offer(f"{label}: as fast as it goes", plan)
        rise = HitRateRise.of(paced)
        if unsettled is None and rise and rise.still_rose and not acts:
            unsettled = f"its hit rate went {rise.describe()} while it was measured"
        return ArmObservation(arm.name, paced, fastest, unsettled=unsettled)

    def _measure_steady_state(self, label: str) -> LoadSamples:
        steady = self._experiment.steady_state
        arm = self._experiment.arm(steady.arm)
        self._flip(arm, label)
        # The same visits twice, and the second time counts: a store just started is as warm for them as one in use.
        for name in (f"{label}: warm-up", label):
            self._seed = 0
            seen = self._phase(name, arm, "open", steady.duration_s, steady.rate, STEADY_STATE_CONNECTIONS)
        return seen

    def _rate(self) -> float:
        workload = self._experiment.workload
        if workload.calibrate is None:
            return workload.rate or 1.0
        arm = self._experiment.arm(workload.calibrate.arm)
        self._flip(arm, "calibration")
        seen = self._phase("calibration", arm, "closed", workload.calibrate.duration_s)
        carried = seen.succeeded.count(True) / seen.seconds
        if carried == 0:
            raise ServiceUnavailable(f"No visit came back well in arm {arm.name}: {seen.errors}.")
        if workload.calibrate.ceiling is not None:
            self._ceiling = carried * workload.calibrate.ceiling
        return max(1.0, round(carried * workload.calibrate.share, 1))

    def _flip(self, arm: ExperimentArm, label: str, otherwise: Mapping[str, str] | None = None) -> None:
        switches = {**arm.switches, **(otherwise or {})}
        self._watcher.phase(f"{label}: {_words(switches)}")
        for name, value in switches.items():
            self._store.set_switch(name, value)
        for knob, turned in self._experiment.parameters_for(arm).items():
            self._store.set_parameter(knob, turned)
        self.wait(self._experiment.phases.settle_s)

    def _phase(
        self,
        label: str,
        arm: ExperimentArm,
        mode: Literal["open", "closed"],
        seconds: float,
        rate: float = 1.0,
        connections: int | None = None,
        acts: Sequence[tuple[float, ArmAction]] = (),
    ) -> LoadSamples:
        workload = self._experiment.workload
        plan = self.load_phase(arm, seconds, mode=mode, rate=rate, concurrency=connections or workload.connections)
        return self.offer(label, plan, acts)


def _words(switches: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in switches.items())
