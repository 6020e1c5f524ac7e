"""Runs servers, watches them, starts again the one that died, stops all of them at the end.

Every server leads a session of its own: Ctrl-C in the terminal reaches the supervisor only, which then stops the
servers in the reverse of the order they were started in, each with the signal it wants and within its bound.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

from shop.faults import FaultChannel
from shop.stack import log_bounds, process_identity
from shop.stack.backoff import RestartBackoff
from shop.stack.console import LogTail, StackConsole
from shop.stack.faults import SERVERS, ClientSideFault, FaultDispatcher, FaultTarget, target_of
from shop.stack.process_identity import ProcessIdentity
from shop.stack.program import ServerProgram
from shop.stack.state import ProcessRecord, StateFile

POLL_S = 0.2
"""How long a death goes unnoticed; looking more often would show up in what the stack measures."""
BOUND_LOGS_EVERY_S = 5.0
START_POLL_S = 0.05
START_TIMEOUT_S = 60.0
"""Seconds a server has to answer the first time: crash recovery and a cold disk included."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartFailed(Exception):
    """A server of the stack, or a step between them, did not come up.

    Args:
        message: one line with what to do; empty where the one that failed has said it already.
        exit_code: what the command ends with.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StopRequested(Exception):
    """Somebody pressed Ctrl-C, or sent SIGTERM, before everything was up."""


@dataclass
class _WatchedProcess:
    program: ServerProgram
    tail: LogTail
    process: subprocess.Popen[bytes]
    started_at: float
    answered: bool = False
    restarts: int = 0
    backoff: RestartBackoff = field(default_factory=RestartBackoff)
    start_again_at: float | None = None


class ProcessSupervisor:
    """Keeps a set of programs running.

    Args:
        state: where each start is written down, so that it can be undone by another process.
        log_dir: each program writes to ``<name>.log`` here.
        console: where their lines are shown.
        monotonic: the clock of back-offs and bounds, in seconds.
    """

    def __init__(
        self, state: StateFile, log_dir: Path, console: StackConsole, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._state = state
        self._log_dir = log_dir
        self._console = console
        self._now = monotonic
        self._watched: list[_WatchedProcess] = []
        self._targets: dict[str, FaultTarget] = {}
        self._faults: FaultDispatcher | None = None
        self._stop_requests = 0
        self._bounded_at = monotonic()

    def listen(self) -> None:
        """Take Ctrl-C, SIGTERM and a closed terminal as the wish to stop; a second one kills."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)

    def request_stop(self) -> None:
        """Make :meth:`run` return at its next look."""
        self._stop_requests += 1

    def accept_faults(self, channel: FaultChannel, home: Path) -> None:
        """Accept fault requests from now on, for the started servers that can be broken.

        Args:
            channel: carries requests and reports.
            home: the state directory, with the payments simulator's ledger.
        """
        watched = {one.program.name: one for one in self._watched}
        targets = {
            name: target_of(name, watched[server].program, partial(_pid, watched[server]), home)
            for name, server in SERVERS.items()
            if server in watched
        }
        self._targets = {SERVERS[name]: target for name, target in targets.items()}
        self._faults = FaultDispatcher(channel, {**targets, "mail": ClientSideFault()})

    def start(self, programs: Iterable[ServerProgram]) -> None:
        """Start programs; :meth:`wait` says when they answer."""
        for program in programs:
            self._watched.append(self._spawn(program))
            self._record()  # at once: what is not written down cannot be found after a kill -9

    def wait(self) -> None:
        """Return once everything that was started answers.

        Raises:
            StartFailed: one ended, or did not answer in time.
            StopRequested: a signal came first.
        """
        deadline = self._now() + START_TIMEOUT_S
        while not all(watched.answered for watched in self._watched):
            self._check_stop()
            for watched in self._watched:
                self._check_started(watched, late=self._now() > deadline)
            self._show()
            time.sleep(START_POLL_S)

    def run_step(self, argv: tuple[str, ...], env: dict[str, str]) -> None:
        """Run one command to its end, in this terminal.

        Raises:
            StartFailed: it failed; it has said why.
            StopRequested: a signal came first, and it was stopped.
        """
        step = subprocess.Popen(argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            while step.poll() is None:
                self._check_stop()
                self._show()
                time.sleep(START_POLL_S)
        except StopRequested:
            step.send_signal(signal.SIGINT)
            step.wait()
            raise
        if step.returncode:
            raise StartFailed("", exit_code=step.returncode if step.returncode > 0 else 1)

    def run(self) -> None:
        """Watch until a stop is requested."""
        while not self._stop_requests:
            self.run_once()
            time.sleep(POLL_S)

    def run_once(self) -> None:
        """Look at every program once: start again what died and whose back-off has passed."""
        if self._now() - self._bounded_at >= BOUND_LOGS_EVERY_S:
            self._bounded_at = self._now()
            log_bounds.put_aside_all(self._log_dir)
        for line in self._faults.run_once() if self._faults else ():
            self._console.say(line)
        for watched in self._watched:
            target = self._targets.get(watched.program.name)
            if watched.start_again_at is not None:
                if self._now() >= watched.start_again_at and not (target and target.kept_down):
                    self._start_again(watched)
            elif watched.process.poll() is not None:
                self._note_death(watched)
            elif not watched.answered and watched.program.healthy():
                watched.answered = True
                if target:
                    target.keep()
                self._console.line(watched.program.name, f"answers again, {self._ran_s(watched):.1f} s after its start")
        self._show()

    def stop(self) -> None:
        """Stop everything, last started first. A further signal while this runs kills instead of asking."""
        asked = self._stop_requests
        if self._faults:
            self._faults.end()
        while self._watched:
            watched = self._watched[-1]
            if watched.process.poll() is None:
                watched.process.send_signal(watched.program.stop_signal)
                self._wait_stopped(watched, asked)
            process_identity.kill_group(watched.process.pid)
            self._show()
            self._watched.pop()
            self._record()

    def _spawn(self, program: ServerProgram) -> _WatchedProcess:
        path = self._log_dir / f"{program.name}.log"
        tail = LogTail(path)
        with path.open("ab") as log:
            process = subprocess.Popen(
                program.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**os.environ, **program.env},
                start_new_session=True,
            )
        return _WatchedProcess(program, tail, process, self._now())

    def _check_started(self, watched: _WatchedProcess, *, late: bool) -> None:
        if watched.answered:
            return
        ended = watched.process.poll()
        if ended is None and watched.program.healthy():
            watched.answered = True
        elif ended is not None or late:
            self._show()  # what it said last
            what = f"ended ({_ending(ended)})" if ended is not None else f"did not answer in {START_TIMEOUT_S:.0f} s"
            raise StartFailed(f"{watched.program.name} {what}; its log, {watched.tail.path}, says why.")

    def _note_death(self, watched: _WatchedProcess) -> None:
        process_identity.kill_group(watched.process.pid)  # what it left behind would hold its port
        if (target := self._targets.get(watched.program.name)) and target.kept_down:
            watched.start_again_at = self._now()  # as soon as it may: it was no failure of its own
            self._console.line(watched.program.name, "killed and kept down, as ordered")
            return
        delay = watched.backoff.delay_after(self._ran_s(watched))
        watched.start_again_at = self._now() + delay
        self._console.line(
            watched.program.name, f"died ({_ending(watched.process.returncode)}); starting it again in {delay:.1f} s"
        )

    def _start_again(self, watched: _WatchedProcess) -> None:
        fresh = self._spawn(watched.program)
        watched.process, watched.started_at = fresh.process, fresh.started_at
        watched.answered, watched.start_again_at = False, None
        watched.restarts += 1
        try:
            self._record()
        except OSError as error:  # a full disk must not end the stack: the next start that is noted notes this one too
            self._console.say(f"a start could not be noted ({error.strerror}): free some space")

    def _wait_stopped(self, watched: _WatchedProcess, asked: int) -> None:
        deadline = self._now() + watched.program.stop_timeout_s
        while watched.process.poll() is None:
            if self._now() > deadline or self._stop_requests > asked:
                self._console.line(watched.program.name, "did not stop when asked; killed")
                process_identity.kill_group(watched.process.pid)
                watched.process.wait()
                return
            self._show()
            time.sleep(START_POLL_S)

    def _record(self) -> None:
        records = {}
        for watched in self._watched:
            program, identity = watched.program, ProcessIdentity.of(watched.process.pid)
            if identity is not None:
                records[program.name] = ProcessRecord(
                    identity.pid,
                    identity.created,
                    program.port,
                    int(program.stop_signal),
                    program.stop_timeout_s,
                    watched.restarts,
                )
        self._state.update(processes=records)

    def _show(self) -> None:
        for watched in self._watched:
            hidden = watched.program.log_only
            for line in watched.tail.new_lines():
                if not any(words in line for words in hidden):
                    self._console.line(watched.program.name, line)

    def _check_stop(self) -> None:
        if self._stop_requests:
            raise StopRequested

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.request_stop()

    def _ran_s(self, watched: _WatchedProcess) -> float:
        return self._now() - watched.started_at


def _pid(watched: _WatchedProcess) -> int | None:
    return None if watched.process.poll() is not None else watched.process.pid


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
