"""What a driver works with: the store, load it can offer, and hands to do things meanwhile."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from shop.lab.arms import ExperimentArm, ScheduledAction
from shop.lab.load import LoadPhase, LoadSamples
from shop.lab.store_client import StoreClient

GENERATOR_START_S = 1.5
"""From its start to the moment it can begin, on a machine that is busy: what is done meanwhile is timed from there."""

Measures = Mapping[str, float | None]
ArmAction = Callable[[], None]


@dataclass(frozen=True)
class DriverMeasure:
    """What a driver finds out beside what the load itself tells."""

    label: str
    unit: str = ""


@dataclass(frozen=True)
class DriverResult:
    """What a driver saw of one arm in one run."""

    samples: LoadSamples
    """Of all load it offered."""
    measures: Measures
    curve: tuple[tuple[float, float], ...] = field(default=())


class DriverContext(Protocol):
    """What the runner hands a driver."""

    @property
    def store(self) -> StoreClient:
        """Return the store."""

    @property
    def start_delay_s(self) -> float:
        """Return the seconds from the start of a load at which acts are planned to the moment it begins."""

    def load_phase(self, arm: ExperimentArm, seconds: float, **other: Any) -> LoadPhase:
        """Return the arm's load for so many seconds; closed loop unless said otherwise."""

    def warm_up(self, arm: ExperimentArm, seconds: float) -> str | None:
        """Visit as fast as it goes until the hit rate has settled; return how far it still rose where it did not.

        Args:
            arm: whose load.
            seconds: how long to visit at least, and then again.
        """

    def offer(self, label: str, plan: LoadPhase, acts: Sequence[tuple[float, ArmAction]] = ()) -> LoadSamples:
        """Offer load, doing each act at its moment, in seconds after the load began."""

    def wait(self, seconds: float) -> None:
        """Let time go by."""

    def flip(self, label: str, arm: ExperimentArm, switches: Mapping[str, str]) -> None:
        """Flip switches, and wait until every process knows."""


class ArmDriver(Protocol):
    """Puts the store under load in a way of its own, and knows what to look at."""

    @property
    def params_model(self) -> type[BaseModel]:
        """Return what it is told, with its defaults."""

    @property
    def measures(self) -> Mapping[str, DriverMeasure]:
        """Return what it finds out, by name."""

    @property
    def faults(self) -> Sequence[str]:
        """Return the faults it orders by itself."""

    @property
    def parameters(self) -> Sequence[str]:
        """Return the knobs it turns by itself."""

    @property
    def edits_price(self) -> bool:
        """Tell whether it changes the price of the product experiments edit."""

    def expected_seconds(self, params: Any) -> float:
        """Return how long an arm takes in a run, about."""

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return what to be told so that an arm is measured for about so many seconds in a run."""

    def measure(self, context: DriverContext, arm: ExperimentArm, params: Any) -> DriverResult:
        """Measure one arm once."""


def fault_actions(store: StoreClient, planned: Sequence[ScheduledAction]) -> list[tuple[float, ArmAction]]:
    """Return an arm's actions as acts on a store."""

    def act(one: ScheduledAction) -> ArmAction:
        return lambda: store.set_fault(one.fault, one.value)

    return [(one.at_s, act(one)) for one in planned]


class ScheduledActions:
    """Does things at their moments in a thread of its own, while the load goes on in a process of its own.

    Args:
        begin_at: when the load begins, on the monotonic clock.
        acts: seconds after that, and what is done then.
    """

    def __init__(self, begin_at: float, acts: Sequence[tuple[float, ArmAction]]) -> None:
        self._begin_at = begin_at
        self._acts = sorted(acts, key=lambda pair: pair[0])
        self._stopped = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="hands", daemon=True)

    def __enter__(self) -> "ScheduledActions":
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self._stopped.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _work(self) -> None:
        for at_s, act in self._acts:
            if self._stopped.wait(max(0.0, self._begin_at + at_s - time.monotonic())):
                return
            try:
                act()
            except Exception as error:  # noqa: BLE001 - it is raised where the load is waited for
                self._error = error
                return
