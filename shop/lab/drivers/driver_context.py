"""The interfaces between the runner and a driver."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from shop.lab.arms import ExperimentArm, PhaseLengths, ScheduledAction
from shop.lab.drivers.auditor import BooksAuditor
from shop.lab.load import LoadPhase, LoadSamples
from shop.lab.store_client import StoreClient

PHASE_START_S = 0.1
"""The usual time until the load of a phase begins: its generator runs already."""
STAYING_START_S = 0.3
"""The same on a busy machine, as an upper bound: actions are timed from the end of it."""
GENERATOR_START_S = 0.5
"""The same for a generator that has to be started first."""

Measures = Mapping[str, float | None]
ArmAction = Callable[[], None]


@dataclass(frozen=True)
class DriverMeasure:
    """A measure that a driver adds to the figures of the load."""

    label: str
    unit: str = ""


@dataclass(frozen=True)
class DriverResult:
    """The measurements of one arm in one run."""

    samples: LoadSamples
    """Of all load at a rate."""
    measures: Measures
    curve: tuple[tuple[float, float], ...] = field(default=())
    closed_loop: LoadSamples | None = None
    """Of the load at full speed, if there was any."""
    unsettled: str | None = None
    """How far the hit rate still rose during the measurement; ``None`` if it was stable."""


class DriverContext(Protocol):
    """The services of the runner that a driver may use."""

    @property
    def store(self) -> StoreClient:
        """Return a client of the store."""

    @property
    def books(self) -> BooksAuditor:
        """Return the auditor of the store's books."""

    @property
    def rate(self) -> float:
        """Return the common rate of all arms, in visits a second."""

    @property
    def ceiling_rps(self) -> float | None:
        """Return the most visits a second that the closed loop may offer; ``None``: no limit."""

    @property
    def good_within_ms(self) -> float:
        """Return the milliseconds after which a response is no goodput."""

    @property
    def start_delay_s(self) -> float:
        """Return the seconds from :meth:`offer` to the begin of a load that has actions."""

    def phases_of(self, arm: ExperimentArm) -> PhaseLengths:
        """Return the phase lengths of an arm."""

    def load_phase(self, arm: ExperimentArm, seconds: float, **changes: Any) -> LoadPhase:
        """Return an arm's load for so many seconds; closed loop by default.

        Args:
            arm: its visits are offered.
            seconds: how long.
            changes: fields of :class:`~shop.lab.load.LoadPhase` that differ from the workload.
        """

    def warm_up(self, arm: ExperimentArm, seconds: float) -> str | None:
        """Visit at full speed until the hit rate is stable; return how far it still rose if it never was.

        Args:
            arm: its visits are offered.
            seconds: the length of one round; rounds are repeated.
        """

    def offer(self, label: str, phase: LoadPhase, actions: Sequence[tuple[float, ArmAction]] = ()) -> LoadSamples:
        """Offer load, and run each action so many seconds after the load began."""

    def wait(self, seconds: float) -> None:
        """Wait, and show progress meanwhile."""

    def flip(self, label: str, arm: ExperimentArm, switches: Mapping[str, str]) -> None:
        """Set an arm's switches with some exceptions, and wait until every process applies them."""


class ArmDriver(Protocol):
    """A way to put the store under load, with the measures it takes."""

    @property
    def params_model(self) -> type[BaseModel]:
        """Return the model of its parameters, with their defaults."""

    @property
    def measures(self) -> Mapping[str, DriverMeasure]:
        """Return its measures by name."""

    @property
    def faults(self) -> Sequence[str]:
        """Return the faults it sets by itself."""

    @property
    def parameters(self) -> Sequence[str]:
        """Return the store parameters it changes by itself."""

    @property
    def edits_price(self) -> bool:
        """Tell whether it changes the price of a product."""

    def expected_seconds(self, params: Any, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run.

        Args:
            params: of the driver in this arm.
            phases: the phase lengths of this arm.
        """

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the parameters to change so that an arm is measured for about so many seconds in a run."""

    def measure(self, context: DriverContext, arm: ExperimentArm, params: Any) -> DriverResult:
        """Measure one arm once."""


def fault_actions(store: StoreClient, planned: Sequence[ScheduledAction]) -> list[tuple[float, ArmAction]]:
    """Return each scheduled fault as a moment and a function that sets it."""

    def set_fault(action: ScheduledAction) -> ArmAction:
        return lambda: store.set_fault(action.fault, action.value)

    return [(action.at_s, set_fault(action)) for action in planned]


@contextmanager
def scheduled_actions(begin_at: float, actions: Sequence[tuple[float, ArmAction]]) -> Iterator[None]:
    """Run actions at their due times in a thread, while the load runs in a process of its own.

    An action that is not due at the end of the block does not run. An error of an action ends the schedule and is
    raised at the end of the block.

    Args:
        begin_at: when the load begins, on the monotonic clock.
        actions: seconds after that, and the function to call.
    """
    stopped = threading.Event()
    errors: list[Exception] = []

    def run() -> None:
        for at_s, action in sorted(actions, key=lambda pair: pair[0]):
            due = begin_at + at_s
            stopped.wait(max(0.0, due - time.monotonic()))
            if time.monotonic() < due:  # a due action runs, also if the load has ended meanwhile
                return
            try:
                action()
            except Exception as error:  # noqa: BLE001 - raised at the end of the block
                errors.append(error)
                return

    thread = threading.Thread(target=run, name="scheduled-actions", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    if errors:
        raise errors[0]
