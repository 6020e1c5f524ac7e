"""Runs an experiment: measures the steady state, then the arms in turn, then the steady state again."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shop.errors import ServiceUnavailable
from shop.lab import load
from shop.lab.anomalies import AnomalyCounters, increases
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import BooksAuditor
from shop.lab.drivers.driver_context import GENERATOR_START_S, ArmAction, scheduled_actions
from shop.lab.experiment import LabExperiment
from shop.lab.figures import ArmObservation
from shop.lab.load import LoadPhase, LoadSamples
from shop.lab.store_client import StoreClient
from shop.lab.unprotected_store import switches_of_measurement
from shop.lab.warm_up import HitRateRise

STEADY_STATE_CONNECTIONS = 4
SEEDS_PER_RUN = 1000


class ProgressWatcher(Protocol):
    """Shows the progress of an experiment."""

    def phase(self, text: str) -> None:
        """Show that another phase begins."""

    def advance(self, seconds: float) -> None:
        """Show that time has passed."""


@dataclass(frozen=True)
class RunRecord:
    """All observations of an experiment."""

    rate: float
    """The common rate of all arms, in visits a second."""
    before: LoadSamples
    after: LoadSamples
    observations: tuple[tuple[ArmObservation, ...], ...]
    """For each run, one observation an arm, in the order in which the arms were measured."""


class ExperimentRunner:
    """Runs one experiment against a running store. The caller restores the switches.

    Args:
        experiment: the experiment to run.
        store: a client of the store.
        watcher: shows progress.
        run_phase: runs one phase of load.
        start_delay_s: seconds from the start of a load generator until it can offer load.
        books: audits the store's books.
    """

    def __init__(
        self,
        experiment: LabExperiment,
        store: StoreClient,
        watcher: ProgressWatcher,
        run_phase: Callable[[LoadPhase, Callable[[], None]], LoadSamples] = load.run_phase,
        start_delay_s: float = GENERATOR_START_S,
        books: BooksAuditor | None = None,
    ) -> None:
        self._experiment = experiment
        self._watcher = watcher
        self._run_phase = run_phase
        self._seed = 0
        self._run_label = ""
        self._values: Mapping[str, str | float] = {}
        self._flipped = True
        self._anomalies = AnomalyCounters(store)
        self.store = store
        self.books = books or BooksAuditor()
        self.rate = 1.0
        self.ceiling_rps: float | None = None
        self.good_within_ms = experiment.workload.good_within_ms
        self.start_delay_s = start_delay_s
        visits = [visit for arm in experiment.arms for visit in experiment.visits_of(arm)]
        paths = "".join(path for visit in visits for path in (*visit.paths, *visit.then))
        self._products = store.products(experiment.workload.products) if "{product}" in paths else ()
        self._categories = store.categories() if "{category}" in paths else ()

    def run(self) -> RunRecord:
        """Run the experiment from start to end.

        Raises:
            ConfigurationError: the store refuses a switch.
            ServiceUnavailable: the store or the generator failed.
        """
        experiment = self._experiment
        before = self._measure_steady_state("steady state, before")
        rate = self._calibrate()
        runs = []
        for number in range(experiment.phases.runs):
            arms = experiment.arms_of_run(number)
            runs.append(tuple(self.measure_arm(arm, rate, number) for arm in arms))
        return RunRecord(rate, before, self._measure_steady_state("steady state, after"), tuple(runs))

    def measure_arm(self, arm: ExperimentArm, rate: float, number: int = 0) -> ArmObservation:
        """Measure one arm once: set its switches and faults, let the driver measure, clear the faults.

        Args:
            arm: the arm.
            rate: the common rate, in visits a second.
            number: the number of the run, from 0.
        """
        experiment = self._experiment
        self._run_label = f"run {number + 1} of {experiment.phases.runs}"
        self._seed = (number + 1) * SEEDS_PER_RUN  # every arm of a run gets the same shoppers in the same order
        self.rate = rate
        self.flip(arm.title, arm, {})
        before = self._anomalies.read()
        for name, value in arm.faults.items():
            self.store.set_fault(name, value)
        try:
            result = experiment.arm_driver.measure(self, arm, experiment.driver_params_for(arm))
            anomalies = increases(before, self._anomalies.read())
        finally:
            self._run_label = ""
            if experiment.fault_names():
                self.store.clear_faults()
                self.store.wait_ready()  # a scheduled action may have ended the last fault just before
        return ArmObservation(
            arm.name, result.samples, result.closed_loop, result.measures, result.curve, anomalies, result.unsettled
        )

    def phases_of(self, arm: ExperimentArm) -> PhaseLengths:
        """Return the phase lengths of an arm that is measured now."""
        return self._experiment.phases_of(arm, flipped=self._flipped)

    def load_phase(self, arm: ExperimentArm, seconds: float, **changes: Any) -> LoadPhase:
        """Return an arm's load for so many seconds; closed loop by default."""
        workload = self._experiment.workload
        self._seed += 1  # otherwise a phase would repeat the visits of another phase and hit only warm entries
        fields: dict[str, Any] = {
            "base_url": self.store.base_url,
            "mode": "closed",
            "arrivals": workload.arrivals,
            "duration_s": seconds,
            "concurrency": workload.connections,
            "timeout_s": workload.timeout_s,
            "lag_limit_ms": workload.lag_limit_ms,
            "visits": self._experiment.visits_of(arm),
            "products": self._products,
            "categories": self._categories,
            "exponent": self._experiment.exponent_of(arm),
            "unknowns": workload.unknowns,
            "browsers": arm.browsers,
            "seed": self._seed,
        }
        return LoadPhase.model_validate({**fields, **changes})

    def warm_up(self, arm: ExperimentArm, seconds: float) -> str | None:
        """Visit at full speed until the hit rate is stable; return how far it still rose if it never was.

        Without a cache there is no hit rate: one round warms the processes. A slow machine has too few visits in a
        round to prove that a rate of zero is stable, and would repeat it up to the limit.

        Args:
            arm: its visits are offered.
            seconds: the length of one round; rounds are repeated.
        """
        limit_s, warmed_s = self._experiment.phases.warm_up_limit_s, 0.0
        while True:
            rise = HitRateRise.of(self.offer(f"{arm.title}: warm-up", self.load_phase(arm, seconds)))
            warmed_s += seconds
            if (rise is not None and rise.has_settled) or not self._experiment.may_hit_a_cache(arm):
                return None
            if warmed_s + seconds > limit_s:
                if rise is None or rise.second <= rise.first:
                    return None
                return f"its hit rate went {rise.describe()} at the end of a warm-up of {warmed_s:.0f} s"

    def offer(self, label: str, phase: LoadPhase, actions: Sequence[tuple[float, ArmAction]] = ()) -> LoadSamples:
        """Offer load, and run each action so many seconds after the load began."""
        self._watcher.phase(f"{self._run_label}: {label}" if self._run_label else label)
        begin_at = time.monotonic() + self.start_delay_s
        phase = phase.model_copy(update={"begin_at": begin_at}) if actions else phase
        with scheduled_actions(begin_at, actions):
            return self._run_phase(phase, lambda: self._watcher.advance(load.PROGRESS_EVERY_S))

    def wait(self, seconds: float) -> None:
        """Wait, and show progress meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            step = min(left, load.PROGRESS_EVERY_S)
            time.sleep(step)
            self._watcher.advance(step)

    def flip(self, label: str, arm: ExperimentArm, switches: Mapping[str, str]) -> None:
        """Set an arm's switches with some exceptions, and wait until every process applies them.

        The store refuses nobody meanwhile, unless the arm sets its switches (:mod:`shop.lab.unprotected_store`).

        The wait is over when every web process says so, and not before the experiment's own wait after a flip.

        Args:
            label: shown as progress.
            arm: its switches and parameters are set.
            switches: replace those of the arm.
        """
        named = {**arm.switches, **switches}
        values = {**self._experiment.values_of(arm), **named}
        self._flipped, self._values = values != self._values, values
        self._watcher.phase(f"{label}: {', '.join(f'{name}={value}' for name, value in named.items())}")
        for name, value in switches_of_measurement(named).items():
            self.store.set_switch(name, value)
        for parameter, number in self._experiment.parameters_for(arm).items():
            self.store.set_parameter(parameter, number)
        began = time.monotonic()
        self.store.wait_applied()
        self.wait(began + self._experiment.phases.settle_s - time.monotonic())

    def _measure_steady_state(self, label: str) -> LoadSamples:
        steady = self._experiment.steady_state
        arm = self._experiment.arm(steady.arm)
        self.flip(label, arm, {})
        self.wait(self._experiment.edge_settle_s)
        # The same visits run twice, and the second time counts, so a new store is as warm for them as a used one.
        for name in (f"{label}: warm-up", label):
            self._seed = 0
            phase = self.load_phase(
                arm, steady.duration_s, mode="open", rate=steady.rate, concurrency=STEADY_STATE_CONNECTIONS
            )
            samples = self.offer(name, phase)
        return samples

    def _calibrate(self) -> float:
        """Return the common rate of all arms, and set the ceiling of the closed loop."""
        workload = self._experiment.workload
        if workload.calibrate is None:
            return workload.rate or 1.0
        arm = self._experiment.arm(workload.calibrate.arm)
        self.flip("calibration", arm, {})
        samples = self.offer("calibration", self.load_phase(arm, workload.calibrate.duration_s))
        carried_rps = samples.succeeded.count(True) / samples.seconds
        if carried_rps == 0:
            raise ServiceUnavailable(f"No visit succeeded in arm {arm.name}: {samples.errors}.")
        if workload.calibrate.ceiling is not None:
            self.ceiling_rps = carried_rps * workload.calibrate.ceiling
        return max(1.0, round(carried_rps * workload.calibrate.share, 1))
