"""Runs the checks of a build exercise: the text of the attempt first, then its behaviour in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import IO, Any, Protocol

import psutil

from shop.errors import ConfigurationError
from shop.exercises.attempt_interface import AttemptInterface, InterfaceMissing, load_interface
from shop.exercises.behaviour import IMPORT, CheckPlan
from shop.exercises.definition import BuildTask, ExerciseDefinition
from shop.exercises.server_addresses import NO_SERVERS, ServerAddresses
from shop.exercises.source_check import INTERFACE, SYNTAX, check_source
from shop.exercises.verdict import AttemptFailed, CannotJudge, CheckVerdict, FailureReport

CPU_LIMIT_S = 3.0
"""Processor time of one call. Code in C that never returns to Python also stops the process's own watch."""
WALL_LIMIT_S = 60.0
"""For all checks. A right answer may be slow, and the machine busy."""
POLL_S = 0.1
SHOWN_OUTPUT_BYTES = 2000


class AttemptProcess(Protocol):
    """A process that runs an attempt, leader of a session of its own."""

    @property
    def pid(self) -> int:
        """Return its id."""
        ...

    def wait(self) -> int:
        """Wait for its end and return its exit code; for a signal, the number with a minus."""
        ...


StartProcess = Callable[[CheckPlan, IO[bytes], int], AttemptProcess]
"""Called with the checks, the file for what the attempt prints, and the descriptor of the pipe for the report."""
LendServers = Callable[[ExerciseDefinition], AbstractContextManager[ServerAddresses]]
"""Lends the servers that an exercise uses; raises ``CannotJudge`` if one is missing."""


def start_process(plan: CheckPlan, output: IO[bytes], report: int) -> AttemptProcess:
    """Start a new Python for one attempt.

    Args:
        plan: the checks.
        output: receives what the attempt prints.
        report: descriptor of the pipe for the report.
    """
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as plan_file:  # a pipe holds a whole plan
        plan_file.write(plan.to_json())
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.attempt_process", str(reading), str(report)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=plan.path.parent,
            pass_fds=(reading, report),
            start_new_session=True,  # so that its own processes end with it
        )
    finally:
        os.close(reading)


@contextmanager
def lend_nothing(definition: ExerciseDefinition) -> Iterator[ServerAddresses]:
    """Lend no servers, for exercises that use none."""
    yield NO_SERVERS


def check_attempt(
    definition: ExerciseDefinition,
    path: Path,
    seed: int,
    lend: LendServers = lend_nothing,
    start: StartProcess = start_process,
) -> CheckVerdict:
    """Check an attempt, and stop at the first failure.

    Args:
        definition: the exercise, of kind build.
        path: the reader's file.
        seed: of the checks' random numbers.
        lend: lends the servers that the exercise uses.
        start: starts the process of the attempt.
    """
    assert definition.build is not None  # noqa: S101 - the caller passes a build exercise
    try:
        check_source(path, build_interface(definition.build))
    except AttemptFailed as failed:
        passed = (SYNTAX,) if failed.report.check == INTERFACE else ()
        return CheckVerdict("not yet", passed, failed.report)
    try:
        with lend(definition) as servers, tempfile.TemporaryFile() as output:
            run = AttemptRun(check_plan(definition, path, seed, servers), output, start)
            verdict = run.judge()
            output.seek(max(0, output.seek(0, os.SEEK_END) - SHOWN_OUTPUT_BYTES))
            shown = output.read().decode(errors="replace")
    except CannotJudge as unknown:
        return CheckVerdict("could not judge", (SYNTAX, INTERFACE), reason=str(unknown))
    return CheckVerdict(
        verdict.verdict, passed_checks(run.passed, verdict), verdict.failure, verdict.reason, output=shown
    )


def passed_checks(behaviour: Sequence[str], verdict: CheckVerdict) -> tuple[str, ...]:
    """Return the names of the checks that passed, in their order.

    Args:
        behaviour: the names of the import and the behavioural checks that passed.
        verdict: may say that the interface turned out wrong when the file was imported.
    """
    failed = verdict.failure.check if verdict.failure else ""
    return tuple(name for name in (SYNTAX, INTERFACE, *behaviour) if name != failed)


def build_interface(task: BuildTask) -> AttemptInterface:
    """Return what the attempt of a build exercise must define.

    Args:
        task: names it.

    Raises:
        ConfigurationError: the interface does not exist.
    """
    try:
        return load_interface(task.defines, task.interface)
    except InterfaceMissing as missing:
        raise ConfigurationError(f"{task.interface}, which an exercise names: {missing}.") from None


def check_plan(
    definition: ExerciseDefinition, path: Path, seed: int, servers: ServerAddresses = NO_SERVERS
) -> CheckPlan:
    """Return what the checks of an attempt need.

    Args:
        definition: the exercise, of kind build.
        path: the reader's file.
        seed: of the checks' random numbers.
        servers: those that the exercise uses.
    """
    assert definition.build is not None  # noqa: S101 - the caller passes a build exercise
    task = definition.build
    return CheckPlan(path, task.defines, task.interface, task.grader, definition.checks, seed, servers)


class AttemptRun:
    """One process that runs an attempt, and its report.

    Args:
        plan: the checks.
        output: receives what the attempt prints.
        start: starts the process.
    """

    def __init__(self, plan: CheckPlan, output: IO[bytes], start: StartProcess = start_process) -> None:
        self.passed: list[str] = []
        self._path = plan.path
        self._check, self._call = IMPORT, ""
        self._end: CheckVerdict | None = None
        self._pipe, writing = os.pipe()
        self._process = start(plan, output, writing)
        os.close(writing)

    def judge(self) -> CheckVerdict:
        """Wait for the end of the checks and return the verdict."""
        try:
            with os.fdopen(self._pipe, "rb", buffering=0) as pipe, DefaultSelector() as selector:
                selector.register(pipe, EVENT_READ)
                return self._follow(pipe, selector)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _follow(self, pipe: IO[bytes], selector: DefaultSelector) -> CheckVerdict:
        deadline, rest = time.monotonic() + WALL_LIMIT_S, b""
        cpu_at_call = self._cpu_s()
        while time.monotonic() < deadline:
            if selector.select(POLL_S):
                data = pipe.read(65_536)
                if not data:
                    return self._end or self._ended_by_itself()
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
                cpu_at_call = self._cpu_s()
                if self._end:
                    return self._end
            elif self._cpu_s() - cpu_at_call > CPU_LIMIT_S:
                came = f"it used {CPU_LIMIT_S:g} s of processor time and had not returned."
                return self._fail("it returns at once.", came, str(self._path))
        reason = (
            f"The checks did not end within {WALL_LIMIT_S:g} s: the machine is too busy, or each call is very slow."
        )
        return CheckVerdict("could not judge", reason=reason)

    def _take(self, line: dict[str, Any]) -> None:
        if "call" in line:
            self._check, self._call = line["check"], line["call"]
        elif "passed" in line:
            self.passed.append(line["passed"])
        elif "failure" in line:
            self._end = CheckVerdict("not yet", failure=FailureReport(**line["failure"]))
        elif "unknown" in line:
            self._end = CheckVerdict("could not judge", reason=line["unknown"])
        elif "fault" in line:
            self._end = CheckVerdict("could not judge", reason=f"The check itself has a fault: {line['fault']}.")
        else:
            self._end = CheckVerdict("passed")

    def _ended_by_itself(self) -> CheckVerdict:
        """Judge a process that ended without a word: the attempt ended it."""
        code = self._process.wait()
        if not self._call:
            reason = f"The process of the check did not start (exit code {code})."
            return CheckVerdict("could not judge", reason=reason)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}, for example by os._exit"
        return self._fail("it returns.", f"the whole process ended ({how}).", str(self._path))

    def _fail(self, expected: str, came: str, look: str) -> CheckVerdict:
        return CheckVerdict("not yet", failure=FailureReport(self._check, self._call, expected, came, look))

    def _cpu_s(self) -> float:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(self._process.pid).cpu_times()
            return float(times.user + times.system)
        return 0.0
