"""Process supervisor: starts servers, watches them, restarts a server that died, and stops all of them at the end.

Every server leads its own session, so Ctrl-C in the terminal reaches the supervisor only. The supervisor then stops the
servers in reverse order of their start, each with its own stop signal and within its own timeout.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shop.faults import FaultChannel
from shop.lab_orders import LabOrderChannel
from shop.stack import log_rotation, process_identity
from shop.stack.backoff import RestartBackoff
from shop.stack.console import LogTail, StackConsole
from shop.stack.faults import SERVERS, ClientSideFault, FaultDispatcher, FaultTarget, build_target
from shop.stack.lab_commands import LabCommandRunner
from shop.stack.program import ServerProgram
from shop.stack.state import ProcessRecord, StateFile
from shop.stack.web_processes import WebProcessCount

POLL_S = 0.2
"""Seconds between two checks of the servers. A shorter interval would change the figures that the lab measures."""
ROTATE_LOGS_EVERY_S = 5.0
START_POLL_S = 0.05
START_TIMEOUT_S = 60.0
"""Seconds until a started server must answer, crash recovery and a cold disk included."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartFailed(Exception):
    """A server of the stack did not start, or the step between the starts failed.

    Args:
        message: one line with a remedy; empty if the step has already printed one.
        exit_code: the exit code of the command.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StopRequested(Exception):
    """Ctrl-C or SIGTERM came before the stack was ready."""


@dataclass
class _WatchedProcess:
    program: ServerProgram
    tail: LogTail
    process: subprocess.Popen[bytes]
    started_at: float
    answered: bool = False
    restarts: int = 0
    backoff: RestartBackoff = field(default_factory=RestartBackoff)
    restart_at: float | None = None

    def running_pid(self) -> int | None:
        """Return the id of the process, or ``None`` if it has ended."""
        return None if self.process.poll() is not None else self.process.pid


class ProcessSupervisor:
    """Keeps a set of programs running.

    Args:
        state: stores each start, so that another process can stop the servers.
        log_dir: each program writes to ``<name>.log`` in this folder.
        console: shows their lines.
        monotonic: the clock of backoffs and timeouts, in seconds.
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
        self._lab: LabCommandRunner | None = None
        self._stop_requests = 0
        self._rotated_at = monotonic()

    def handle_stop_signals(self) -> None:
        """Stop on Ctrl-C, on SIGTERM and when the terminal closes; a second signal kills."""
        for number in STOP_SIGNALS:
            signal.signal(number, lambda number, frame: self.request_stop())

    def request_stop(self) -> None:
        """Make :meth:`run` return at its next round."""
        self._stop_requests += 1

    def accept_faults(self, channel: FaultChannel, home: Path) -> None:
        """Accept fault requests from now on, for the started servers that can be broken.

        Args:
            channel: carries requests and reports.
            home: the state directory, with the payments simulator's ledger.
        """
        watched = {server.program.name: server for server in self._watched}
        targets = {
            name: build_target(name, watched[server].program, watched[server].running_pid, home)
            for name, server in SERVERS.items()
            if server in watched
        }
        self._targets = {SERVERS[name]: target for name, target in targets.items()}
        self._faults = FaultDispatcher(channel, {**targets, "mail": ClientSideFault()})

    def accept_lab_orders(self, channel: LabOrderChannel, env: Mapping[str, str], web_processes: int) -> None:
        """Run the commands that the lab's page orders from now on.

        Args:
            channel: carries orders and reports.
            env: added to the environment of a command.
            web_processes: with so many the web server starts.
        """
        web = next((server for server in self._watched if server.program.name == "web"), None)
        processes = WebProcessCount(web.running_pid, web_processes) if web else None
        self._lab = LabCommandRunner(channel, self._log_dir / "lab.log", env, processes)

    def start(self, programs: Iterable[ServerProgram]) -> None:
        """Start programs; :meth:`wait_until_ready` waits until they answer."""
        for program in programs:
            self._watched.append(self._spawn(program))
            self._save_records()  # at once: after a kill -9, `bin/shop down` finds only the servers in the state file

    def wait_until_ready(self) -> None:
        """Return when every started server answers.

        Raises:
            StartFailed: a server ended, or did not answer in time.
            StopRequested: a signal came first.
        """
        deadline = self._now() + START_TIMEOUT_S
        while not all(watched.answered for watched in self._watched):
            if self._stop_requests:
                raise StopRequested
            for watched in (server for server in self._watched if not server.answered):
                exit_code = watched.process.poll()
                if exit_code is None and watched.program.healthy():
                    watched.answered = True
                elif exit_code is not None or self._now() > deadline:
                    self._show_logs()  # the last lines, before the reason
                    ended, late = f"ended ({_reason(exit_code)})", f"did not answer in {START_TIMEOUT_S:.0f} s"
                    reason = late if exit_code is None else ended
                    raise StartFailed(f"{watched.program.name} {reason}; see its log, {watched.tail.path}.")
            self._show_logs()
            time.sleep(START_POLL_S)

    def run_step(self, argv: tuple[str, ...], env: dict[str, str]) -> None:
        """Run one command to its end, in this terminal.

        Raises:
            StartFailed: the command failed; it has printed the reason.
            StopRequested: a signal came first, and the command was stopped.
        """
        step = subprocess.Popen(argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL, start_new_session=True)
        while step.poll() is None:
            if self._stop_requests:
                step.send_signal(signal.SIGINT)
                step.wait()
                raise StopRequested
            self._show_logs()
            time.sleep(START_POLL_S)
        if step.returncode:
            raise StartFailed("", exit_code=step.returncode if step.returncode > 0 else 1)

    def run(self) -> None:
        """Watch until a stop is requested."""
        while not self._stop_requests:
            self.run_once()
            time.sleep(POLL_S)

    def run_once(self) -> None:
        """Check every server once; restart a dead one whose backoff has passed."""
        if self._now() - self._rotated_at >= ROTATE_LOGS_EVERY_S:
            self._rotated_at = self._now()
            log_rotation.rotate_all_logs(self._log_dir)
        self._follow_requests()
        for watched in self._watched:
            target = self._targets.get(watched.program.name)
            if watched.restart_at is not None:
                if self._now() >= watched.restart_at and not (target and target.is_kept_down):
                    self._restart(watched)
            elif watched.process.poll() is not None:
                self._schedule_restart(watched)
            elif not watched.answered and watched.program.healthy():
                watched.answered = True
                if target:
                    target.reapply()
                start_s = self._now() - watched.started_at
                self._console.line(watched.program.name, f"answers again, {start_s:.1f} s after its start")
        self._show_logs()

    def stop(self) -> None:
        """Stop all servers, last started first. One more signal during the stop kills the server that is stopping."""
        requests = self._stop_requests
        if self._lab:
            self._lab.end(self._follow_faults)  # first: it restores the store, and needs the servers for that
        if self._faults:
            self._faults.end()
        while self._watched:
            watched = self._watched[-1]
            if watched.process.poll() is None:
                watched.process.send_signal(watched.program.stop_signal)
            deadline = self._now() + watched.program.stop_timeout_s
            while watched.process.poll() is None:
                if self._now() > deadline or self._stop_requests > requests:
                    self._console.line(watched.program.name, "did not stop in time; killed")
                    process_identity.kill_group(watched.process.pid)
                    watched.process.wait()
                    break
                self._show_logs()
                time.sleep(START_POLL_S)
            process_identity.kill_group(watched.process.pid)
            self._show_logs()
            self._watched.pop()
            self._save_records()

    def _follow_requests(self) -> None:
        self._follow_faults()
        for line in self._lab.run_once() if self._lab else ():
            self._console.say(line)

    def _follow_faults(self) -> None:
        for line in self._faults.run_once() if self._faults else ():
            self._console.say(line)

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

    def _schedule_restart(self, watched: _WatchedProcess) -> None:
        process_identity.kill_group(watched.process.pid)  # its remaining children would hold its port
        if (target := self._targets.get(watched.program.name)) and target.is_kept_down:
            watched.restart_at = self._now()  # when the fault ends: the server itself did not fail
            self._console.line(watched.program.name, "killed and kept down, as requested")
            return
        delay = watched.backoff.delay_after(self._now() - watched.started_at)
        watched.restart_at = self._now() + delay
        self._console.line(
            watched.program.name, f"died ({_reason(watched.process.returncode)}); restart in {delay:.1f} s"
        )

    def _restart(self, watched: _WatchedProcess) -> None:
        started = self._spawn(watched.program)
        watched.process, watched.started_at = started.process, started.started_at
        watched.answered, watched.restart_at = False, None
        watched.restarts += 1
        try:
            self._save_records()
        except OSError as error:  # a full disk must not end the stack; the next start saves this one as well
            self._console.say(f"could not save the state of the stack ({error.strerror}): free some space")

    def _save_records(self) -> None:
        records = {
            watched.program.name: ProcessRecord.of(watched.process.pid, watched.program, watched.restarts)
            for watched in self._watched
        }
        self._state.update(processes={name: record for name, record in records.items() if record is not None})

    def _show_logs(self) -> None:
        for watched in self._watched:
            hidden = watched.program.log_only
            for line in watched.tail.new_lines():
                if not any(text in line for text in hidden):
                    self._console.line(watched.program.name, line)


def _reason(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
