"""Orders of the lab: run an experiment, offer a load, abort either, or change the number of web processes.

Problem: a web process must not run an experiment itself: the experiment breaks web processes and restarts them.
Method: the page leaves an order in the stack's run directory. The supervisor starts ``bin/shop lab`` as its child,
exactly as a person would in a terminal, and reports its state; see ``supervisor_channel``. All checks are
those of the command.
"""

import re
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from shop.errors import InvalidFields, StateConflict
from shop.supervisor_channel import SupervisorChannel

NOT_OURS = "The stack is another user's: order as that user."
EXPERIMENT = re.compile(r"[a-z][a-z0-9-]*")
MOST_RATE, MOST_SECONDS = 500, 900
"""The bounds of a visible load: visits a second, and seconds. Store and load share the cores of one machine."""
Action = Literal["run", "load", "abort", "processes"]
State = Literal["idle", "running", "ended"]


@dataclass(frozen=True)
class LabOrder:
    """One order.

    Args:
        action: what to do.
        words: of the ``bin/shop lab`` command; the wanted number of web processes; empty for an abort.
        request_id: by which the client recognizes the report on it.
    """

    action: Action
    words: tuple[str, ...] = ()
    request_id: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True)
class LabOrderReport:
    """The supervisor's report on the ordered command.

    Args:
        state: whether it runs, or has ended; ``idle`` before the first order.
        command: as a person would type it.
        since: its start, ISO 8601.
        pid: its process.
        exit_code: its end; ``None`` while it runs.
        last_line: what it printed last on stderr: the reason, if it could not run.
        refused: why the order was refused; empty if it was not.
        request_id: of the order that was handled last.
        web_processes: the wanted number of web processes; 0 if it cannot be changed.
    """

    state: State = "idle"
    command: str = ""
    since: str = ""
    pid: int = 0
    exit_code: int | None = None
    last_line: str = ""
    refused: str = ""
    request_id: str = ""
    web_processes: int = 0


def run_order(experiment: str, *, quick: bool) -> LabOrder:
    """Return the order to run an experiment.

    Args:
        experiment: its name.
        quick: in its quick form.

    Raises:
        InvalidFields: no experiment can have that name.
    """
    if not EXPERIMENT.fullmatch(experiment):
        raise InvalidFields(f"There is no experiment {experiment!r}.", errors={"experiment": "unknown experiment"})
    return LabOrder("run", ("run", experiment, *(["--quick"] if quick else [])))


def load_order(rate: str, seconds: str) -> LabOrder:
    """Return the order to offer a visible load.

    Args:
        rate: visits a second.
        seconds: how long.

    Raises:
        InvalidFields: a number is not one, or out of bounds.
    """
    numbers = {"rate": (rate, MOST_RATE), "seconds": (seconds, MOST_SECONDS)}
    for name, (text, most) in numbers.items():
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise InvalidFields(f"{name} is a whole number from 1 to {most}.", errors={name: f"1 to {most}"})
    return LabOrder("load", ("load", "--rate", rate, "--seconds", seconds))


def processes_order(count: float) -> LabOrder:
    """Return the order to run so many web processes.

    Args:
        count: a whole number.

    Raises:
        InvalidFields: it is not whole.
    """
    if count != int(count):
        raise InvalidFields("The number of web processes is whole.", errors={"value": "not whole"})
    return LabOrder("processes", (str(int(count)),))


class LabOrderChannel:
    """Carries orders to the supervisor, and its reports back.

    Args:
        run_dir: of the stack.
    """

    def __init__(self, run_dir: Path) -> None:
        self._files = SupervisorChannel(run_dir, "lab", NOT_OURS)

    def report(self) -> LabOrderReport:
        """Return the supervisor's last report; an idle one if there is none."""
        fields = self._files.read_report()
        return LabOrderReport(**fields) if fields else LabOrderReport()

    def send(self, order: LabOrder) -> LabOrderReport:
        """Send an order, and return when the supervisor has begun it.

        Raises:
            StateConflict: the supervisor refused it: another command runs, or none does.
            ServiceUnavailable: the supervisor did not answer.
        """
        with self._files.lock():
            report = LabOrderReport(**self._files.send(asdict(order)))
        if report.refused:
            raise StateConflict(report.refused)
        return report

    def pending_order(self) -> LabOrder | None:
        """Return the last order; the supervisor reads it."""
        fields = self._files.read_request()
        return LabOrder(fields["action"], tuple(fields["words"]), fields["request_id"]) if fields else None

    def publish_report(self, report: LabOrderReport) -> None:
        """Write a report; only the supervisor does."""
        self._files.write_report(asdict(report))

    def close(self) -> None:
        """Delete both files."""
        self._files.delete_files()
