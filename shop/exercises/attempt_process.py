"""The process in which an attempt runs: ``python -P -m shop.exercises.attempt_process PLAN_FD REPORT_FD``.

It reports by lines of JSON on a pipe: each call before it begins, each check that passed, and at last a failure or the
end. A thread watches the calls. It counts its own ticks and not seconds: on a machine that is too busy for this
process, the thread gets no ticks either, and the attempt is not blamed.
"""

import json
import os
import resource
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from typing import Any, NoReturn, TextIO

from shop.exercises.behaviour import IMPORT, CheckPlan, import_attempt, run_checks
from shop.exercises.graders.attempt_calls import PrintedTooMuch
from shop.exercises.server_addresses import NO_SERVERS
from shop.exercises.verdict import AttemptFailed, CannotJudge, FailureReport

TICK_S = 0.05
STALLED_TICKS = 30
"""One and a half seconds: a call that takes longer does not return, for the store as for the check."""
STALLED_SERVER_TICKS = 60
"""Three seconds for a call that may wait for a server: on a busy machine, the server is slow and not the attempt."""
STALLED_IMPORT_TICKS = 120
"""The import of a large library may take a while."""
LOOP_CPU_S = 0.2
"""Processor time that a stalled call has used if it loops. A call that waits uses nearly none."""
OUTPUT_LIMIT_BYTES = 64 * 1024
FILE_LIMIT_BYTES = 4 * 1024 * 1024
"""For an attempt that writes to its output past Python's own streams."""


class LimitedOutput:
    """A text stream that refuses more than :data:`OUTPUT_LIMIT_BYTES`.

    Args:
        stream: receives the text.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._left = OUTPUT_LIMIT_BYTES

    def write(self, text: str) -> int:
        """Write a text.

        Raises:
            PrintedTooMuch: the limit is reached.
        """
        self._left -= len(text.encode(errors="replace"))
        if self._left < 0:
            raise PrintedTooMuch(OUTPUT_LIMIT_BYTES)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the stream."""
        return getattr(self._stream, name)


class ReportPipe:
    """Writes the report.

    Args:
        descriptor: of the pipe.
    """

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self.current = (IMPORT, "the file is imported")
        self.ticks = 0
        """Ticks since the last line."""
        self.cpu_s = 0.0
        """Processor time of this process at the last line."""

    def send(self, **line: Any) -> None:
        """Write one line. If its reader has ended, nothing is left to check."""
        with self._lock:
            self.ticks, self.cpu_s = 0, time.process_time()
            try:
                self._file.write(json.dumps(line) + "\n")
            except BrokenPipeError:
                end_process()

    def announce(self, check: str, call: str) -> None:
        """Report that a call begins."""
        self.current = (check, call)
        self.send(check=check, call=call)

    def fail(self, failure: FailureReport) -> None:
        """Report the failure that ends the checks."""
        self.send(failure=asdict(failure))


def watch_calls(report: ReportPipe, plan: CheckPlan) -> None:
    """End the process if a call does not return; report the line at which it stands.

    Args:
        report: tells the call.
        plan: names the attempt's file.
    """
    path = plan.path
    pause = threading.Event()
    while True:
        pause.wait(TICK_S)
        report.ticks += 1
        check, call = report.current
        is_looping = time.process_time() - report.cpu_s > LOOP_CPU_S
        limit = stall_limit(plan, check, is_looping=is_looping)
        if report.ticks > limit:
            cause = "it loops" if is_looping else "it waits"
            stacks = map(traceback.extract_stack, sys._current_frames().values())  # a check may call in threads
            places = [frame for frames in stacks for frame in frames if frame.filename == str(path)]
            if plan.servers != NO_SERVERS and not places:
                report.send(unknown="The check waits for a server, not for your code: see `bin/shop status`.")
                end_process()
            look = f"{path}:{places[-1].lineno}, in {places[-1].name}" if places else str(path)
            came = f"it had not returned after {TICK_S * limit:g} s: {cause} without an end."
            report.fail(FailureReport(check, call, "it returns at once.", came, look))
            end_process()


def stall_limit(plan: CheckPlan, check: str, *, is_looping: bool) -> int:
    """Return the ticks after which a call does not return any more.

    Args:
        plan: of the checks.
        check: the one that calls.
        is_looping: whether the call uses processor time.
    """
    if check == IMPORT:
        return STALLED_IMPORT_TICKS
    return STALLED_TICKS if is_looping or plan.servers == NO_SERVERS else STALLED_SERVER_TICKS


def end_process() -> NoReturn:
    """End at once: an attempt's threads and exit handlers could delay an ordinary end."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)


def main(plan: CheckPlan, descriptor: int) -> NoReturn:
    """Import the attempt and run the checks.

    Args:
        plan: the checks.
        descriptor: of the pipe for the report.
    """
    report = ReportPipe(descriptor)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT_BYTES, FILE_LIMIT_BYTES))
    sys.stdout, sys.stderr = LimitedOutput(sys.stdout), LimitedOutput(sys.stderr)
    sys.path.append(str(plan.path.parent))  # the reader's other files
    threading.Thread(target=watch_calls, args=(report, plan), name="watch-calls", daemon=True).start()
    try:
        report.announce(*report.current)
        function = import_attempt(plan)
        report.send(passed=IMPORT)
        for passed in run_checks(plan, function, report.announce):
            report.send(passed=passed)
        report.send(done=True)
    except AttemptFailed as failed:
        report.fail(failed.report)
    except CannotJudge as unknown:
        report.send(unknown=str(unknown))
    except Exception as error:  # noqa: BLE001 - a fault of the check must not count as a fault of the attempt
        report.send(fault=f"{type(error).__name__}: {error}")
    end_process()


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1])) as plan_file:  # not on the command line: addresses have passwords
        plan_text = plan_file.read()
    main(CheckPlan.from_json(plan_text), int(sys.argv[2]))
