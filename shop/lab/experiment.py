"""What an experiment is: a TOML file a person can read, parsed strictly.

Method: the file states the hypothesis, what steady means, the arms with their switches, the load, and what would
confirm it, before anything is measured.
Source: Basiri et al., "Chaos Engineering" (IEEE Software, 2016): steady state first, then a hypothesis about it.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from shop.errors import ConfigurationError, NotFound
from shop.lab import drivers
from shop.lab.anomalies import ANOMALIES
from shop.lab.arms import ExperimentArm, FigureChart, StrictModel
from shop.lab.arrivals import SHOPPERS_EXPONENT, Arrivals
from shop.lab.drivers.driver_context import ArmDriver
from shop.lab.load import ShopperVisit
from shop.settings import PROJECT_ROOT
from shop.switches.registry import did_you_mean

EXPERIMENTS = PROJECT_ROOT / "loadtests" / "experiments"
RATIO = re.compile(r"(?P<top>[a-z][\w-]*)\.(?P<over>\w+) / (?P<bottom>[a-z][\w-]*)\.(?P<under>\w+)")
CLAIM = re.compile(r"(?P<path>(ratios\.\w+)|(arms\.[a-z][\w-]*\.\w+)) (?P<op><=|>=|<|>) (?P<bound>\d+(\.\d+)?)")

START_S = 0.7
"""What it takes to start a generator; every phase has its own."""
FIGURES = frozenset(
    {"offered_rps", "achieved_rps", "goodput_rps", "p50_ms", "p95_ms", "p99_ms", "error_rate", "most_rps"}
    | {"db_queries_per_request", "db_queries_per_visit", "calls_per_visit", "generator_cpu", "generator_lag_p95_ms"}
    | {"hit_rate_edge", "hit_rate_local", "hit_rate_shared"}
    | {"share_browser", "share_edge", "share_local", "share_shared", "share_origin"}
)
"""What is measured of each arm in each run, whatever drives it, and so may stand in a ratio or a claim."""


class SteadyState(StrictModel):
    """What the store must look like before and after, or nothing in between may be believed."""

    says: str
    arm: str
    """The arm it is looked at in."""
    rate: float = Field(default=5.0, gt=0)
    duration_s: float = Field(default=4.0, gt=0)
    tolerance: float = Field(default=2.0, gt=1)
    """The median after may differ from the one before by this factor."""
    noise_ms: float = Field(default=5.0, ge=0)
    """A difference below this many milliseconds is never held against it."""


class RateCalibration(StrictModel):
    """The rate both arms are offered: a share of what one arm, the slow one, was seen to carry."""

    arm: str
    share: float = Field(gt=0, lt=1)
    duration_s: float = Field(default=4.0, gt=0)
    ceiling: float | None = Field(default=None, gt=1)
    """No arm is asked for more visits a second than so many times what this one carried. A figure that reaches it is a
    lower bound; without it, the quickest arm would measure the generator."""


class ExperimentWorkload(StrictModel):
    """What is asked for, how often, and by how many."""

    visits: tuple[ShopperVisit, ...] = ()
    products: int = Field(default=500, ge=1, le=5000)
    """How many of the most popular products are visited."""
    exponent: float = Field(default=SHOPPERS_EXPONENT, ge=0, le=3)
    """Of Zipf's law, by which products are chosen."""
    unknowns: int = Field(default=200, ge=1)
    """How many different slugs of nothing are asked for, chosen by the same law."""
    arrivals: Arrivals = "poisson"
    rate: float | None = Field(default=None, gt=0)
    calibrate: RateCalibration | None = None
    connections: int = Field(default=16, ge=1, le=256)
    timeout_s: float = Field(default=10.0, gt=0)
    good_within_ms: float = Field(default=1000.0, gt=0)
    """A slower answer is no longer goodput: the shopper has left."""

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if (self.rate is None) == (self.calibrate is None):
            raise ValueError("give either rate or calibrate")
        return self


class PhaseLengths(StrictModel):
    """How long each part lasts, in seconds, for each arm in each run."""

    runs: int = Field(default=3, ge=1, le=20)
    """With one there is no spread, and nothing is claimed."""
    settle_s: float = Field(default=1.2, ge=1.0)
    """After a flip: a change is in force in every process within a second."""
    warm_up_s: float = Field(default=3.0, gt=0)
    """Repeated until the hit rate has settled."""
    warm_up_limit_s: float = Field(default=24.0, gt=0)
    """After which a hit rate that has not settled makes the timing worthless."""
    open_s: float = Field(default=10.0, gt=0)
    """The same rate for both arms: latency."""
    closed_s: float = Field(default=5.0, gt=0)
    """As fast as it goes: the most an arm can do."""


class VerdictRules(StrictModel):
    """What confirms the hypothesis, and what makes the whole run worthless."""

    problem_when: tuple[str, ...] = Field(min_length=1)
    """How the arm without the pattern shows its problem. Where it does not, nothing is said of the cure."""
    correct_when: tuple[str, ...] = ()
    """What has to be right however quick the machine is; it is judged apart from the timing, by the worst run."""
    confirmed_when: tuple[str, ...] = ()
    """What the pattern is worth; judged only where nothing disturbed the timing, and confirmed only by every run."""
    error_limit: float = Field(default=0.01, ge=0, lt=1)
    tolerates: tuple[str, ...] = ()
    """Trouble of the store that belongs to the experiment; any other makes it invalid. See ``shop.lab.anomalies``."""

    @property
    def all_claims(self) -> tuple[str, ...]:
        """Return all claims, those first that show the problem."""
        return (*self.problem_when, *self.correct_when, *self.confirmed_when)

    @model_validator(mode="after")
    def _claims_something(self) -> Self:
        if not self.correct_when and not self.confirmed_when:
            raise ValueError("give correct_when, confirmed_when or both")
        if strange := sorted(set(self.tolerates) - ANOMALIES.keys()):
            raise ValueError(f"no such trouble: {strange[0]}.{did_you_mean(strange[0], ANOMALIES)}")
        return self


class LabExperiment(StrictModel):
    """One experiment, as its file states it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    hypothesis: str
    teaches: str
    steady_state: SteadyState
    workload: ExperimentWorkload
    phases: PhaseLengths = PhaseLengths()
    driver: str = drivers.LOAD_ONLY
    """What puts the store under load, and what it looks at; ``load`` offers the same visits to every arm."""
    driver_params: dict[str, Any] = Field(default_factory=dict)
    """What the driver is told."""
    breaks_books: bool = False
    """Whether one of its arms leaves mismatches on purpose, for that is its problem."""
    workers: int = Field(default=1, ge=1)
    """Web processes without which there is nothing to be seen."""
    parameters: dict[str, float] = Field(default_factory=dict)
    arms: tuple[ExperimentArm, ...] = Field(min_length=2, max_length=8)
    """The way without the pattern first."""
    ratios: dict[str, str] = Field(min_length=1)
    charts: tuple[FigureChart, ...] = ()
    verdict: VerdictRules

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        if self.driver not in drivers.DRIVERS:
            raise ValueError(f"no such driver: {self.driver}.{did_you_mean(self.driver, drivers.DRIVERS)}")
        for arm in self.arms:
            self.driver_params_for(arm)
        arms = {arm.name for arm in self.arms}
        figures: set[str] = set()
        wanted = {self.steady_state.arm} | ({self.workload.calibrate.arm} if self.workload.calibrate else set())
        for name, expression in self.ratios.items():
            match = RATIO.fullmatch(expression)
            if not match:
                raise ValueError(f"ratio {name}: write it as 'arm.figure / arm.figure'")
            wanted |= {match["top"], match["bottom"]}
            figures |= {match["over"], match["under"]}
        for claim in self.verdict.all_claims:
            match = CLAIM.fullmatch(claim)
            if not match:
                raise ValueError(f"{claim!r}: write it as 'ratios.name >= 2' or 'arms.name.figure <= 1'")
            kind, name, *figure = match["path"].split(".")
            figures |= set(figure)
            if kind == "ratios" and name not in self.ratios:
                raise ValueError(f"{claim!r}: there is no ratio {name}")
            wanted |= {name} if kind == "arms" else set()
        if missing := wanted - arms:
            raise ValueError(f"no such arm: {', '.join(sorted(missing))}")
        figures |= {chart.figure for chart in self.charts}
        if missing := figures - FIGURES - set(self.arm_driver.measures):
            raise ValueError(f"no such figure: {', '.join(sorted(missing))}")
        if not self.workload.visits and not all(arm.visits for arm in self.arms):
            raise ValueError("neither the workload nor each arm says what is visited")
        return self

    @property
    def arm_driver(self) -> ArmDriver:
        """Return what puts the store under load."""
        return drivers.DRIVERS[self.driver]

    def driver_params_for(self, arm: ExperimentArm) -> Any:
        """Return what the driver is told in an arm; raise ``ValidationError`` where it does not fit."""
        return self.arm_driver.params_model.model_validate({**self.driver_params, **arm.driver_params})

    def parameters_for(self, arm: ExperimentArm) -> dict[str, float]:
        """Return how the knobs stand in an arm."""
        return {**self.parameters, **arm.parameters}

    def fault_names(self) -> set[str]:
        """Return the names of the faults it puts in force."""
        acted = {action.fault for arm in self.arms for action in arm.actions}
        return acted | {name for arm in self.arms for name in arm.faults} | set(self.arm_driver.faults)

    def parameter_names(self) -> set[str]:
        """Return the names of the knobs it turns."""
        return {name for arm in self.arms for name in self.parameters_for(arm)} | set(self.arm_driver.parameters)

    def exponent_of(self, arm: ExperimentArm) -> float:
        """Return the exponent of Zipf's law by which products are chosen in an arm."""
        return self.workload.exponent if arm.exponent is None else arm.exponent

    def visits_of(self, arm: ExperimentArm) -> tuple[ShopperVisit, ...]:
        """Return what is visited in an arm."""
        return arm.visits or self.workload.visits

    def arm(self, name: str) -> ExperimentArm:
        """Return the arm of that name; raise ``KeyError`` where there is none."""
        return {arm.name: arm for arm in self.arms}[name]

    def switch_names(self) -> set[str]:
        """Return the names of the switches it flips."""
        return {name for arm in self.arms for name in arm.switches}

    def with_duration(self, seconds: float | None, runs: int | None) -> "LabExperiment":
        """Return it with other lengths.

        Args:
            seconds: how long each arm is measured in each run; split between the phases as the file does. What is
                shorter than the file has it, is shorter with what leads up to it, but for the warm-up: a cache that is
                not filled says nothing.
            runs: how often.
        """
        changes: dict[str, Any] = {"phases": self.phases if runs is None else self.phases.with_changes(runs=runs)}
        if seconds is not None:
            phases: PhaseLengths = changes["phases"]
            share = seconds / (phases.open_s + phases.closed_s)
            less = min(1.0, share)
            changes["phases"] = phases.with_changes(open_s=phases.open_s * share, closed_s=phases.closed_s * share)
            steady, workload = self.steady_state, self.workload
            changes["steady_state"] = steady.with_changes(duration_s=steady.duration_s * less)
            if workload.calibrate is not None:
                calibrate = workload.calibrate.with_changes(duration_s=workload.calibrate.duration_s * less)
                changes["workload"] = workload.with_changes(calibrate=calibrate)
            changes["driver_params"] = {
                **self.driver_params,
                **self.arm_driver.params_for_seconds(self.driver_params, seconds),
            }
        return self.with_changes(**changes)

    def warm_up_s_of(self, arm: ExperimentArm) -> float:
        """Return how long an arm is warmed up at least, in seconds."""
        return self.phases.warm_up_s if arm.warm_up_s is None else arm.warm_up_s

    def expected_seconds(self) -> float:
        """Return how long it takes, about."""
        phases, calibrate = self.phases, self.workload.calibrate
        measured = phases.open_s + phases.closed_s + 3 * START_S
        steady = 2 * (phases.settle_s + 2 * (self.steady_state.duration_s + START_S))
        slow = (phases.settle_s + calibrate.duration_s + START_S) if calibrate else 0.0
        driven = [
            self.warm_up_s_of(arm) + measured
            if self.driver == drivers.LOAD_ONLY
            else self.arm_driver.expected_seconds(self.driver_params_for(arm))
            for arm in self.arms
        ]
        return steady + slow + phases.runs * sum(phases.settle_s + each for each in driven)


def parse_experiment(text: str, source: str) -> LabExperiment:
    """Read an experiment.

    Args:
        text: TOML.
        source: where it came from, for the message.

    Raises:
        ConfigurationError: it is no TOML, has a key nobody reads, or contradicts itself.
    """
    try:
        return LabExperiment.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is not TOML: {error}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "experiment"
        raise ConfigurationError(f"{source}: {where}: {fault['msg']}.") from None


def load_experiments(folder: Path = EXPERIMENTS) -> dict[str, LabExperiment]:
    """Read every experiment of a folder, by name.

    Raises:
        ConfigurationError: one of them does not parse, or is not named like its file.
    """
    found = {}
    for path in sorted(folder.glob("*.toml")):
        experiment = parse_experiment(path.read_text(encoding="utf-8"), path.name)
        if experiment.name != path.stem:
            raise ConfigurationError(f"{path.name} holds {experiment.name!r}: file and experiment are named alike.")
        found[experiment.name] = experiment
    return found


def load_experiment(name: str, folder: Path = EXPERIMENTS) -> LabExperiment:
    """Read one experiment.

    Raises:
        NotFound: there is none of that name.
        ConfigurationError: an experiment does not parse.
    """
    known = load_experiments(folder)
    if name not in known:
        raise NotFound(f"There is no experiment {name!r}.{did_you_mean(name, known)} `shop lab list` shows them.")
    return known[name]
