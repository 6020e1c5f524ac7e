"""What a supervisor promises, on real processes."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from shop.errors import ConfigurationError
from shop.settings import load_settings
from shop.stack import down
from shop.stack.console import StackConsole
from shop.stack.process_identity import ProcessIdentity
from shop.stack.program import ServerProgram, free_port
from shop.stack.state import ProcessRecord, StackState, StateFile
from shop.stack.supervisor import ProcessSupervisor, StartFailed
from tests.support import supervisor_process
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure

PATIENCE_S = 20


class Running:
    def __init__(self, var: Path) -> None:
        for name in ("run", "log"):
            (var / name).mkdir(parents=True)
        self.var, self.state = var, StateFile(var / "run")
        self.log = (var / "out").open("wb")
        ports = [str(free_port()), str(free_port())]
        argv = [sys.executable, supervisor_process.__file__, str(var), *ports]
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log)
        with ended_on_failure(self.end):
            until(lambda: self.state.load().phase == "ready")

    def record(self, name: str) -> ProcessRecord:
        return self.state.load().processes[name]

    @property
    def said(self) -> str:
        return (self.var / "out").read_text()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.log.close()
        down.stop_leftovers(self.state, lambda line: None)


@pytest.fixture
def running(tmp_path):
    running = Running(tmp_path / "var")
    yield running
    running.end()


def test_killed_server_is_restarted_with_a_message(running):
    first = running.record("polite")
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: running.record("polite").restarts == 1)
    assert running.record("polite").pid != first.pid
    until(lambda: "answers again" in running.said)
    assert "died (killed by SIGKILL); restart in 0.5 s" in running.said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_every_server_even_a_stubborn_one(running, number):
    servers = [running.record(name).identity for name in ("polite", "stubborn")]
    running.process.send_signal(number)
    assert running.process.wait(PATIENCE_S) == 0
    assert [server.alive for server in servers] == [False, False]
    assert "stubborn | did not stop in time; killed" in running.said
    assert running.state.load() == StackState()


def test_last_lines_of_failed_server_are_shown_before_the_error(tmp_path):
    for name in ("run", "log"):
        (tmp_path / name).mkdir()
    out = io.StringIO()
    supervisor = ProcessSupervisor(StateFile(tmp_path / "run"), tmp_path / "log", StackConsole(out))
    argv = (sys.executable, "-c", "print('no room left'); exit(3)")
    supervisor.start([ServerProgram(name="hasty", argv=argv, port=free_port(), healthy=lambda: False)])
    with pytest.raises(StartFailed, match=r"hasty ended \(exit code 3\); see its log, .*hasty.log"):
        supervisor.wait_until_ready()
    assert "hasty    | no room left\n" in out.getvalue()
    supervisor.stop()


def test_next_command_stops_servers_of_a_killed_supervisor(running):
    servers = [running.record(name).identity for name in ("polite", "stubborn")]
    running.process.kill()
    running.process.wait()
    assert [server.alive for server in servers] == [True, True]
    assert down.stop_stack(load_settings(var_dir=running.var), lambda line: None)
    assert [server.alive for server in servers] == [False, False]


def test_lock_is_held_while_running_and_free_after_a_kill(running):
    with pytest.raises(ConfigurationError, match="already runs"), running.state.hold_lock():
        pass
    running.process.kill()
    running.process.wait()
    with running.state.hold_lock():
        pass


def test_other_process_with_reused_pid_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    created = psutil.Process(stranger.pid).create_time()
    record = ProcessRecord(stranger.pid, created - 60, 1, signal.SIGKILL, 1)
    StateFile(tmp_path / "run").save(StackState(phase="ready", processes={"postgres": record}))
    assert not down.stop_stack(load_settings(var_dir=tmp_path), lambda line: None)
    assert stranger.poll() is None
    assert ProcessIdentity(stranger.pid, created).alive
    stranger.communicate(b"\n")
