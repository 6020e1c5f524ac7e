"""An experiment: a TOML file, parsed strictly.

Method: the file states the hypothesis, the steady state, the arms with their switches, the load, and the claims that
would confirm it, before anything is measured.
Source: Basiri et al., "Chaos Engineering" (IEEE Software, 2016): steady state first, then a hypothesis about it.
"""

import re
import tomllib
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from shop.did_you_mean import did_you_mean
from shop.errors import ConfigurationError, NotFound
from shop.lab import drivers
from shop.lab.anomalies import ANOMALIES
from shop.lab.arms import ExperimentArm, FigureChart, PhaseLengths
from shop.lab.arrivals import SHOPPERS_EXPONENT, Arrivals
from shop.lab.drivers.driver_context import PHASE_START_S, ArmDriver
from shop.lab.figures import FIGURES, RATIO
from shop.lab.headline import RunHeadline
from shop.lab.load import LAG_LIMIT_MS, ShopperVisit
from shop.lab.quick_form import CALIBRATION_S, NOISE_MS, SETTLE_S, STEADY_RATE, STEADY_S, WARM_UP_LIMIT_S, QuickForm
from shop.lab.strict_model import StrictModel
from shop.lab.toml_lines import find_line
from shop.lab.unprotected_store import UNPROTECTED, switches_of_measurement
from shop.settings import PROJECT_ROOT

EXPERIMENTS = PROJECT_ROOT / "loadtests" / "experiments"
CHAPTERS = {
    "caching": "Caching",
    "api": "The API",
    "checkout": "Checkout and stock",
    "payments": "A provider in trouble",
    "overload": "More than the store can serve",
    "messages": "Queues and read models",
}
"""The chapters of the experiments and their titles, in their order."""
START_S = 0.8
"""About how long it takes to save what the experiment may change, and to restore it."""
APPLY_S = 0.5
"""About how long it takes until both web processes apply a flip: one at once, the other reads every 0.8 s."""
CACHE_SWITCHES = ("cache.edge", "cache.local", "cache.shared")
"""The switches of the caches between a browser and the database."""
CLAIM = re.compile(r"(?P<path>(ratios\.\w+)|(arms\.[a-z][\w-]*\.\w+)) (?P<op><=|>=|<|>) (?P<bound>\d+(\.\d+)?)")
"""How an experiment writes a claim: ``ratios.name >= 2`` or ``arms.name.figure <= 1``."""


class SteadyState(StrictModel):
    """How the store must behave before and after the runs; otherwise the runs are invalid."""

    says: str
    """The steady state as a sentence."""
    arm: str
    """The arm in which it is measured."""
    rate: float = Field(default=5.0, gt=0)
    duration_s: float = Field(default=4.0, gt=0)
    tolerance: float = Field(default=2.0, gt=1)
    """The median after the runs may differ from the median before them by this factor."""
    noise_ms: float = Field(default=5.0, ge=0)
    """A smaller difference in milliseconds is always accepted."""


class RateCalibration(StrictModel):
    """The common rate of all arms: a share of the throughput of one arm, the slow one."""

    arm: str
    share: float = Field(gt=0, lt=1)
    duration_s: float = Field(default=4.0, gt=0)
    ceiling: float | None = Field(default=None, gt=1)
    """The closed loop offers at most this many times the throughput of the calibration. A figure that reaches the
    ceiling is a lower bound; without a ceiling, the fastest arm would measure the generator."""


class ExperimentWorkload(StrictModel):
    """The load: which visits, how often, over how many connections."""

    visits: tuple[ShopperVisit, ...] = ()
    products: int = Field(default=500, ge=1, le=5000)
    """How many of the most popular products are visited."""
    exponent: float = Field(default=SHOPPERS_EXPONENT, ge=0, le=3)
    """Of Zipf's law, by which products are chosen."""
    unknowns: int = Field(default=200, ge=1)
    """How many slugs of products that do not exist are visited, chosen by the same law."""
    arrivals: Arrivals = "poisson"
    rate: float | None = Field(default=None, gt=0)
    calibrate: RateCalibration | None = None
    connections: int = Field(default=16, ge=1, le=256)
    timeout_s: float = Field(default=10.0, gt=0)
    lag_limit_ms: float = Field(default=LAG_LIMIT_MS, gt=0)
    """A generator whose visits are released so late (95th percentile) is the bottleneck. Where the whole machine is
    overloaded on purpose, it is late, too; the limit must be small beside the times that the claims are about."""
    good_within_ms: float = Field(default=1000.0, gt=0)
    """A slower response does not count as goodput, since the shopper has left."""

    @model_validator(mode="after")
    def _has_one_rate(self) -> Self:
        if (self.rate is None) == (self.calibrate is None):
            raise ValueError("give either rate or calibrate")
        return self


class VerdictRules(StrictModel):
    """Which claims confirm the hypothesis, and which anomalies do not invalidate the runs."""

    problem_when: tuple[str, ...] = Field(min_length=1)
    """How the arm without the pattern shows the problem. If it does not, the verdict says nothing about the pattern."""
    correct_when: tuple[str, ...] = ()
    """Claims about correctness, which must hold on any machine. The worst run decides."""
    confirmed_when: tuple[str, ...] = ()
    """Claims about timing: judged only if nothing disturbed the timing, and confirmed only if every run agrees."""
    error_limit: float = Field(default=0.01, ge=0, le=1)
    tolerates: tuple[str, ...] = ()
    """Anomalies that belong to the experiment; any other invalidates the runs. See :mod:`shop.lab.anomalies`."""

    @property
    def all_claims(self) -> tuple[str, ...]:
        """Return all claims, those about the problem first."""
        return (*self.problem_when, *self.correct_when, *self.confirmed_when)

    @model_validator(mode="after")
    def _claims_something(self) -> Self:
        if not self.correct_when and not self.confirmed_when:
            raise ValueError("give correct_when, confirmed_when or both")
        if unknown := sorted(set(self.tolerates) - ANOMALIES.keys()):
            raise ValueError(f"no such anomaly: {unknown[0]}.{did_you_mean(unknown[0], ANOMALIES)}")
        return self


class LabExperiment(StrictModel):
    """One experiment, as its file states it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    chapter: str
    """One of :data:`CHAPTERS`."""
    hypothesis: str
    headline: RunHeadline
    """The one figure that it is about."""
    teaches: str
    steady_state: SteadyState
    workload: ExperimentWorkload
    phases: PhaseLengths = PhaseLengths()
    driver: str = drivers.LOAD_ONLY
    """Puts the store under load and measures it; the default offers the same visits to every arm."""
    driver_params: dict[str, Any] = Field(default_factory=dict)
    breaks_books: bool = False
    """Whether an arm leaves mismatches in the books, to show the problem."""
    workers: int = Field(default=1, ge=1)
    """Web processes that the effect needs at least."""
    parameters: dict[str, float] = Field(default_factory=dict)
    """Store parameters that every arm sets."""
    arms: tuple[ExperimentArm, ...] = Field(min_length=2, max_length=8)
    """The arm without the pattern first."""
    ratios: dict[str, str] = Field(default_factory=dict)
    charts: tuple[FigureChart, ...] = ()
    verdict: VerdictRules
    quick: QuickForm | None
    """Its quick form; ``None`` in the quick form itself."""

    @model_validator(mode="after")
    def _has_known_names(self) -> Self:
        if self.chapter not in CHAPTERS:
            raise ValueError(f"no such chapter: {self.chapter}; there are {', '.join(CHAPTERS)}")
        if self.headline.claim not in self.verdict.all_claims:
            raise ValueError(f"headline: {self.headline.claim!r} is no claim of the verdict")
        if self.driver not in drivers.DRIVERS:
            raise ValueError(f"no such driver: {self.driver}.{did_you_mean(self.driver, drivers.DRIVERS)}")
        for arm in self.arms:
            self.driver_params_for(arm)
        arms, figures = self._names_in_expressions()
        if missing := arms - {arm.name for arm in self.arms}:
            raise ValueError(f"no such arm: {', '.join(sorted(missing))}")
        if missing := figures - FIGURES.keys() - set(self.arm_driver.measures):
            raise ValueError(f"no such figure: {', '.join(sorted(missing))}")
        if self.quick is not None:
            self._check_quick_form(self.quick)
        if not self.workload.visits and not all(arm.visits for arm in self.arms):
            raise ValueError("give visits in the workload or in every arm")
        return self

    def _check_quick_form(self, quick: QuickForm) -> None:
        if missing := set(quick.arms) - {arm.name for arm in self.arms}:
            raise ValueError(f"quick: no such arm: {', '.join(sorted(missing))}")
        if self.headline.claim not in self._claims_about(quick.arms):
            raise ValueError("quick: the headline's claim needs an arm that the quick form leaves out")
        self.in_quick_form()

    def _claims_about(self, arms: Collection[str]) -> list[str]:
        """Return the claims that need no arm but these."""
        return [claim for claim in self.verdict.all_claims if self._arms_of(claim) <= set(arms)]

    def _arms_of(self, claim: str) -> set[str]:
        """Return the arms that a claim needs."""
        kind, name = claim.split()[0].split(".")[:2]
        if kind == "arms":
            return {name}
        ratio = RATIO.fullmatch(self.ratios[name])
        return {ratio["top"], ratio["bottom"]} if ratio else set()

    def in_quick_form(self) -> "LabExperiment":
        """Return the quick form: fewer arms, shorter phases, and at least two runs."""
        if (quick := self.quick) is None:
            return self
        arms = [self.arm(name) for name in quick.arms]
        claims = self._claims_about(quick.arms)
        rules, phases, workload = self.verdict, self.phases, self.workload
        ratios = {
            name: text for name, text in self.ratios.items() if self._arms_of(f"ratios.{name} >= 0") <= {*quick.arms}
        }
        steady_arm = self.steady_state.arm if self.steady_state.arm in quick.arms else quick.arms[-1]
        calibrate = workload.calibrate
        return self.with_changes(
            quick=None,
            arms=tuple(_hasten(arm, quick) for arm in arms),
            ratios=ratios,
            parameters={**self.parameters, **quick.parameters},
            driver_params={**self.driver_params, **quick.driver_params},
            verdict=rules.with_changes(
                **{
                    kind: tuple(claim for claim in getattr(rules, kind) if claim in claims)
                    for kind in ("problem_when", "correct_when", "confirmed_when")
                }
            ),
            steady_state=self.steady_state.with_changes(
                arm=steady_arm, duration_s=STEADY_S, rate=STEADY_RATE, noise_ms=NOISE_MS
            ),
            phases=phases.with_changes(
                runs=quick.runs,
                settle_s=SETTLE_S,
                edge_settle_s=0.0,
                warm_up_s=quick.warm_up_s,
                warm_up_limit_s=WARM_UP_LIMIT_S,
                open_s=quick.open_s,
                closed_s=quick.closed_s,
            ),
            workload=workload.with_changes(
                products=quick.products or workload.products,
                calibrate=calibrate and calibrate.with_changes(duration_s=CALIBRATION_S),
            ),
        )

    def _names_in_expressions(self) -> tuple[set[str], set[str]]:
        """Return the arms and the figures that ratios, claims and charts name."""
        arms = {self.steady_state.arm} | ({self.workload.calibrate.arm} if self.workload.calibrate else set())
        figures = {chart.figure for chart in self.charts}
        for name, expression in self.ratios.items():
            ratio = RATIO.fullmatch(expression)
            if not ratio:
                raise ValueError(f"ratio {name}: write it as 'arm.figure / arm.figure'")
            arms |= {ratio["top"], ratio["bottom"]}
            figures |= {ratio["over"], ratio["under"]}
        for expression in self.verdict.all_claims:
            claim = CLAIM.fullmatch(expression)
            if not claim:
                raise ValueError(f"{expression!r}: write it as 'ratios.name >= 2' or 'arms.name.figure <= 1'")
            kind, name, *figure = claim["path"].split(".")
            figures |= set(figure)
            if kind == "ratios" and name not in self.ratios:
                raise ValueError(f"{expression!r}: there is no ratio {name}")
            arms |= {name} if kind == "arms" else set()
        return arms, figures

    @property
    def arm_driver(self) -> ArmDriver:
        """Return the driver."""
        return drivers.DRIVERS[self.driver]

    def driver_params_for(self, arm: ExperimentArm) -> Any:
        """Return the driver's parameters in an arm; raise ``ValidationError`` if they do not fit."""
        return self.arm_driver.params_model.model_validate({**self.driver_params, **arm.driver_params})

    def parameters_for(self, arm: ExperimentArm) -> dict[str, float]:
        """Return the store parameters in an arm."""
        return {**self.parameters, **arm.parameters}

    def phases_of(self, arm: ExperimentArm, *, flipped: bool = True) -> PhaseLengths:
        """Return the phase lengths of an arm.

        Args:
            arm: the arm.
            flipped: whether a flip preceded; otherwise its caches are still full, and it needs no longer warm-up.
        """
        if arm.warm_up_s is None or not flipped:
            return self.phases
        return self.phases.model_copy(update={"warm_up_s": arm.warm_up_s})

    def values_of(self, arm: ExperimentArm) -> dict[str, str | float]:
        """Return the value of every switch and store parameter that is set for an arm."""
        return {**switches_of_measurement(arm.switches), **self.parameters_for(arm)}

    def fault_names(self) -> set[str]:
        """Return the names of the faults that the experiment sets."""
        scheduled = {action.fault for arm in self.arms for action in arm.actions}
        return scheduled | {name for arm in self.arms for name in arm.faults} | set(self.arm_driver.faults)

    def parameter_names(self) -> set[str]:
        """Return the names of the store parameters that the experiment changes."""
        return {name for arm in self.arms for name in self.parameters_for(arm)} | set(self.arm_driver.parameters)

    def exponent_of(self, arm: ExperimentArm) -> float:
        """Return the exponent of Zipf's law by which products are chosen in an arm."""
        return self.workload.exponent if arm.exponent is None else arm.exponent

    def visits_of(self, arm: ExperimentArm) -> tuple[ShopperVisit, ...]:
        """Return the visits of an arm."""
        return arm.visits or self.workload.visits

    def may_hit_a_cache(self, arm: ExperimentArm) -> bool:
        """Tell whether a cache may answer a visit of an arm: not if it has no browsers and names every cache as off."""
        return arm.browsers > 0 or any(arm.switches.get(name) != "off" for name in CACHE_SWITCHES)

    def arm(self, name: str) -> ExperimentArm:
        """Return the arm of that name; raise ``KeyError`` if there is none."""
        return {arm.name: arm for arm in self.arms}[name]

    def switch_names(self) -> set[str]:
        """Return the names of the switches that the experiment sets."""
        return {name for arm in self.arms for name in switches_of_measurement(arm.switches)}

    def unnamed_switches(self) -> dict[str, str]:
        """Return the switches that are set although an arm does not name them, with their values there."""
        named_by_all = set.intersection(*(set(arm.switches) for arm in self.arms))
        return {name: value for name, value in UNPROTECTED.items() if name not in named_by_all}

    def with_duration(self, seconds: float | None, runs: int | None) -> "LabExperiment":
        """Return a copy with other lengths.

        Args:
            seconds: how long each arm is measured in each run, split between the phases as in the file. A shorter
                measurement shortens steady state and calibration too, but never the warm-up: a cache that is not
                filled shows nothing.
            runs: how often each arm is measured.
        """
        changes: dict[str, Any] = {"phases": self.phases if runs is None else self.phases.with_changes(runs=runs)}
        if seconds is not None:
            phases: PhaseLengths = changes["phases"]
            share = seconds / (phases.open_s + phases.closed_s)
            shorter = min(1.0, share)
            changes["phases"] = phases.with_changes(open_s=phases.open_s * share, closed_s=phases.closed_s * share)
            steady, workload = self.steady_state, self.workload
            changes["steady_state"] = steady.with_changes(duration_s=steady.duration_s * shorter)
            if workload.calibrate is not None:
                calibrate = workload.calibrate.with_changes(duration_s=workload.calibrate.duration_s * shorter)
                changes["workload"] = workload.with_changes(calibrate=calibrate)
            adapted = self.arm_driver.params_for_seconds(self.driver_params, seconds)
            changes["driver_params"] = {**self.driver_params, **adapted}
        return self.with_changes(**changes)

    @property
    def edge_settle_s(self) -> float:
        """Return the further wait before the steady state is measured: none if the edge does not cache in it."""
        switches = self.arm(self.steady_state.arm).switches
        return 0.0 if switches.get("cache.edge") == "off" else self.phases.edge_settle_s

    def arms_of_run(self, number: int) -> tuple[ExperimentArm, ...]:
        """Return the arms in the order of a run: it alternates, which cancels a drift over time.

        If the last arm is in force before the first run, that run begins with it: a flip less before the runs, and one
        less after them.

        Args:
            number: of the run, from 0.
        """
        in_force = self.workload.calibrate.arm if self.workload.calibrate else self.steady_state.arm
        begins_with_last = (in_force == self.arms[-1].name) != (number % 2 == 1)
        return tuple(reversed(self.arms)) if begins_with_last else self.arms

    def expected_seconds(self) -> float:
        """Return about how long the experiment takes on a machine that does nothing else."""
        steady, calibrate = self.arm(self.steady_state.arm), self.workload.calibrate
        before = [steady, *([self.arm(calibrate.arm)] if calibrate else [])]
        arms = [arm for number in range(self.phases.runs) for arm in self.arms_of_run(number)]
        values = [self.values_of(arm) for arm in (*before, *arms, steady)]
        flips = [True, *(first != second for first, second in pairwise(values))]
        flips_s = sum(max(self.phases.settle_s, APPLY_S if flipped else 0.0) for flipped in flips)
        steady_s = 2 * (self.edge_settle_s + 2 * (self.steady_state.duration_s + PHASE_START_S))
        calibration_s = calibrate.duration_s + PHASE_START_S if calibrate else 0.0
        arms_s = sum(
            self.arm_driver.expected_seconds(self.driver_params_for(arm), self.phases_of(arm, flipped=flipped))
            for arm, flipped in zip(arms, flips[len(before) :], strict=False)
        )
        return START_S + flips_s + steady_s + calibration_s + arms_s


def _hasten(arm: ExperimentArm, quick: QuickForm) -> ExperimentArm:
    """Return an arm whose scheduled faults come sooner."""
    actions = [action.with_changes(at_s=action.at_s * quick.actions_share) for action in arm.actions]
    return arm.with_changes(actions=tuple(actions))


def parse_experiment(text: str, source: str) -> LabExperiment:
    """Parse an experiment.

    Args:
        text: TOML.
        source: the origin of the text, for the message.

    Raises:
        ConfigurationError: the text is not TOML, has an unknown key, or contradicts itself.
    """
    try:
        return LabExperiment.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field, message = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        line = find_line(text, first["loc"]) if field else _line_of_words(text, message)
        raise ConfigurationError(f"{source}, line {line}: {field or 'experiment'}: {message}.") from None


def _line_of_words(text: str, message: str) -> int:
    """Return the line that has the words which a message quotes or ends with; the first line if none has."""
    words = [*re.findall(r"'([^']+)'", message), *reversed(re.findall(r": ([\w.-]+)", message))]
    patterns = [re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])") for word in words]
    lines = list(enumerate(text.splitlines(), start=1))
    found = (number for pattern in patterns for number, line in lines if pattern.search(line))
    return next(found, 1)


def load_experiments(folder: Path = EXPERIMENTS) -> dict[str, LabExperiment]:
    """Read every experiment of a folder, by name.

    Raises:
        ConfigurationError: a file does not parse, or its name differs from the experiment's.
    """
    experiments = {}
    for path in sorted(folder.glob("*.toml")):
        experiment = parse_experiment(path.read_text(encoding="utf-8"), path.name)
        if experiment.name != path.stem:
            raise ConfigurationError(
                f"{path.name} contains the experiment {experiment.name!r}: file and experiment must have the same name."
            )
        experiments[experiment.name] = experiment
    return experiments


def load_experiment(name: str, folder: Path = EXPERIMENTS) -> LabExperiment:
    """Read one experiment.

    Raises:
        NotFound: no experiment has that name.
        ConfigurationError: an experiment does not parse.
    """
    experiments = load_experiments(folder)
    if name not in experiments:
        near = did_you_mean(name, experiments)
        raise NotFound(f"There is no experiment {name!r}.{near} `bin/shop lab list` shows them.")
    return experiments[name]
