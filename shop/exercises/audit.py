"""Checks an audit: the reader's list first, then the behaviour of the reader's copy of the audited program."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import IO, Any

from shop.exercises.definition import EXERCISES, ExerciseDefinition
from shop.exercises.tasks import AuditPoint, AuditTask
from shop.exercises.verdict import AttemptFailed, CheckVerdict, FailureReport
from shop.exercises.written_answer import UnreadableAnswer, WrittenPoint, read_points

LIST, SERVES, REPAIRS = "list", "serves", "repairs"
"""The checks, in their order."""
WEAK, SOUND = "weak", "sound"
FIELDS = ("verdict", "place")
WALL_LIMIT_S = 90.0
"""For all probes. A probe waits a few seconds for a request that hangs."""


@dataclass
class ProbeOutcome:
    """What the probes found: the names of the repaired weaknesses, and the failures by name."""

    repaired: list[str] = field(default_factory=list)
    failures: dict[str, FailureReport] = field(default_factory=dict)


def check_audit(definition: ExerciseDefinition, folder: Path) -> CheckVerdict:
    """Check list and repairs, and stop at the first failure.

    Args:
        definition: the exercise, of kind audit.
        folder: the reader's folder, with the list and the copy of the program.
    """
    task = _task(definition)
    list_rule, _, repair_rule = definition.checks
    assert definition.file is not None  # noqa: S101 - an audit has a file
    try:
        check_list(task, folder / definition.file, int(list_rule.threshold))
    except AttemptFailed as failed:
        return CheckVerdict("not yet", (), failed.report)
    changed = changed_files(task, folder)
    if not changed:
        did, look = f"Your copy in {folder / task.patient} was compared with the original.", "Repair what you found."
        report = FailureReport(REPAIRS, did, "a changed file.", "every file is as it was.", look)
        return CheckVerdict("not yet", (LIST,), report)
    names = tuple(point.name for point in task.weak_points if point.file in changed)
    return ProbeRun(task, folder / task.patient, names).judge(int(repair_rule.threshold))


def copy_patient(task: AuditTask, folder: Path) -> None:
    """Copy the audited program, in place of an earlier copy.

    Args:
        task: names the program.
        folder: the reader's folder.
    """
    shutil.rmtree(folder / task.patient, ignore_errors=True)
    shutil.copytree(EXERCISES / task.patient, folder / task.patient, ignore=shutil.ignore_patterns("__pycache__"))


def check_list(task: AuditTask, path: Path, wanted: int) -> None:
    """Compare the reader's list with the weaknesses of the program.

    Args:
        task: has the points.
        path: the reader's file.
        wanted: how many points must be right.

    Raises:
        AttemptFailed: a point has no answer, or too few are right.
    """
    did = f"The check read {path}."
    try:
        points = read_points(path.read_text(encoding="utf-8"), [point.name for point in task.points], FIELDS)
    except FileNotFoundError:
        raise AttemptFailed(
            FailureReport(LIST, did, "your list.", "there is no such file.", "start it again.")
        ) from None
    except (UnreadableAnswer, UnicodeDecodeError) as error:
        look = error.look if isinstance(error, UnreadableAnswer) else "Store the file as UTF-8."
        line = error.line if isinstance(error, UnreadableAnswer) else 1
        report = FailureReport(LIST, did, "the headings of the template.", str(error), f"{path}:{line}: {look}")
        raise AttemptFailed(report) from None
    right = []
    for point in task.points:
        written = points[point.name]
        if written["verdict"].lower() not in (WEAK, SOUND):
            came = f"Verdict: {written['verdict']}".rstrip() + f" for {point.name}."
            look = f"{path}:{written.line}: {point.asks}"
            raise AttemptFailed(FailureReport(LIST, did, f"Verdict: {WEAK} or {SOUND}, for each point.", came, look))
        right += [point.name] if _is_right(point, written) else []
    if len(right) < wanted:
        first = next(point for point in task.points if point.name not in right)
        came = f"{len(right)} of {len(task.points)} points are right."
        expected = f"at least {wanted} of {len(task.points)} points: the verdict, and for a weak one file and function."
        look = f"The first that differs is {first.name}: {first.asks} Read the code once more."
        raise AttemptFailed(FailureReport(LIST, did, expected, came, look))


def changed_files(task: AuditTask, folder: Path) -> set[str]:
    """Return the names of the files of the reader's copy that differ from the original.

    Args:
        task: names the program.
        folder: the reader's folder.
    """
    original, copy = EXERCISES / task.patient, folder / task.patient
    names = {path.name for path in (*original.glob("*.py"), *copy.glob("*.py"))}
    return {name for name in names if _content(original / name) != _content(copy / name)}


class ProbeRun:
    """One process that runs the probes on the reader's copy, and its report.

    Args:
        task: names the probes.
        package: folder of the reader's copy.
        names: the probes to run: those whose file was changed.
    """

    def __init__(self, task: AuditTask, package: Path, names: tuple[str, ...]) -> None:
        self._task = task
        self._package = package
        self._names = names
        self._probe = SERVES
        self._outcome = ProbeOutcome()
        self._fault = ""
        self._is_done = False

    def judge(self, wanted: int) -> CheckVerdict:
        """Run the probes and return the verdict.

        Args:
            wanted: how many weaknesses must be repaired.
        """
        with tempfile.TemporaryFile() as output:
            ended = self._run(output)
            output.seek(max(0, output.seek(0, os.SEEK_END) - 2000))
            printed = output.read().decode(errors="replace")
        if self._fault or not ended:
            slow = f"The checks did not end within {WALL_LIMIT_S:g} s: the machine is too busy."
            reason = f"The check itself has a fault: {self._fault}." if self._fault else slow
            return CheckVerdict("could not judge", reason=reason, output=printed)
        outcome = self._outcome
        if not self._is_done:
            check = SERVES if self._probe == SERVES else REPAIRS
            did, came = f"The check {self._probe} ran your copy.", "the whole process ended."
            report = FailureReport(check, did, "it answers.", came, str(self._package))
            return CheckVerdict("not yet", (LIST,), report, output=printed)
        if SERVES in outcome.failures:
            return CheckVerdict("not yet", (LIST,), outcome.failures[SERVES], output=printed)
        repaired = tuple(f"repair of {name}" for name in outcome.repaired)
        if len(repaired) >= wanted:
            return CheckVerdict("passed", (LIST, SERVES, REPAIRS, *repaired))
        report = next(iter(outcome.failures.values()), None) or FailureReport(
            REPAIRS,
            f"The check looked for repairs in {self._package}.",
            f"{wanted} repaired weaknesses.",
            f"{len(repaired)} repaired so far, and no other file of a weakness was changed.",
            "Choose the next weakness of your list.",
        )
        return CheckVerdict("not yet", (LIST, SERVES, *repaired), report, output=printed)

    def _run(self, output: IO[bytes]) -> bool:
        """Run the process; return whether it ended in time."""
        reading, writing = os.pipe()
        plan = json.dumps({"probes": self._task.probes, "package": str(self._package), "names": self._names})
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.audit_process", plan, str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writing,),
            start_new_session=True,  # so that its own processes end with it
        )
        os.close(writing)
        try:
            with os.fdopen(reading, "rb", buffering=0) as pipe:
                return self._follow(pipe)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _follow(self, pipe: IO[bytes]) -> bool:
        with DefaultSelector() as selector:
            selector.register(pipe, EVENT_READ)
            deadline = monotonic() + WALL_LIMIT_S
            for line in _lines(pipe, selector, deadline):
                self._take(line)
                if self._is_done or self._fault:
                    return True
            return monotonic() < deadline

    def _take(self, line: dict[str, Any]) -> None:
        if "probe" in line:
            self._probe = line["probe"]
        elif "failure" in line:
            self._outcome.failures[self._probe] = FailureReport(**line["failure"])
        elif "fault" in line:
            self._fault = line["fault"]
        elif "done" in line:
            self._is_done = True
        elif self._probe != SERVES:
            self._outcome.repaired.append(self._probe)


def _lines(pipe: IO[bytes], selector: DefaultSelector, deadline: float) -> Iterator[dict[str, Any]]:
    rest = b""
    while monotonic() < deadline:
        if selector.select(0.1):
            data = pipe.read(65_536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from map(json.loads, lines)


def _is_right(point: AuditPoint, written: WrittenPoint) -> bool:
    if written["verdict"].lower() != (WEAK if point.weak else SOUND):
        return False
    return not point.weak or all(name in written["place"] for name in (point.file, point.function))


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _task(definition: ExerciseDefinition) -> AuditTask:
    assert definition.audit is not None  # noqa: S101 - the caller passes an audit
    return definition.audit
