"""Applies faults to the stack's own servers: really kills, stops and empties them.

A killed server stays down because the supervisor does not start it. A hanging server keeps its port and its
connections, and nothing in it runs (SIGSTOP): a client of a machine that swaps sees the same. The payments simulator
can also be slow or fail: it reads its behaviour settings from its ledger before each call.
"""

import random
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from shop.faults import NONE, FaultChannel, FaultReport
from shop.payments.simulator import behaviour_settings
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.ledger import FILE, ProviderLedger
from shop.stack.program import ServerProgram

SERVERS: Mapping[str, str] = {
    "cache": "cache",
    "database": "postgres",
    "broker": "broker",
    "web": "web",
    "payments": "payments",
}
"""Fault to the program that it affects."""
BEHAVIOURS: Mapping[str, BehaviourSettings] = {
    "slow": BehaviourSettings(latency_ms=12_000),
    "failing": BehaviourSettings(error_rate=0.1),
}
"""Slow is four times the store's limit for one call. So few calls fail that the store's retry budget covers them."""


class FaultTarget:
    """One server to which a fault can be applied.

    Args:
        program: the server.
        find_pid: returns the id of its process, ``None`` while it does not run.
    """

    def __init__(self, program: ServerProgram, find_pid: Callable[[], int | None]) -> None:
        self._program = program
        self._find_pid = find_pid
        self.fault = NONE

    @property
    def is_kept_down(self) -> bool:
        """Return whether the supervisor must not restart the server."""
        return self.fault == "down"

    def apply(self, fault: str) -> None:
        """End the active fault and apply another one; ``flush`` and ``kill`` end at once."""
        if fault == self.fault:
            return
        if self.fault == "hang":
            self.resume()
        self.fault = fault
        if fault == "flush":
            if self._program.flush is not None:
                self._program.flush()
            self.fault = NONE
        if fault == "kill":
            kill_random_child(self._find_pid())
            self.fault = NONE
        self.reapply()

    def reapply(self) -> None:
        """Apply the active fault to the current process, which may have started after the fault."""
        if self.fault in ("hang", "down") and (pid := self._find_pid()) is not None:
            _for_each_process(pid, psutil.Process.suspend if self.fault == "hang" else psutil.Process.kill)

    def end(self) -> None:
        """End the active fault, so that the server can be stopped cleanly."""
        self.resume()
        self.fault = NONE

    def resume(self) -> None:
        """Continue a stopped process: while it is stopped, it does not react to SIGTERM."""
        if (pid := self._find_pid()) is not None:
            _for_each_process(pid, psutil.Process.resume)


class PaymentsFaultTarget(FaultTarget):
    """The payments simulator: it can also be slow, or fail.

    The target writes the behaviour into the simulator's ledger and sends no request: a simulator that hangs, or whose
    threads all wait, could not be reset with a request. The fault stays active over a restart of the simulator. A new
    stack starts without faults.

    Args:
        program: the simulator.
        find_pid: returns the id of its process, ``None`` while it does not run.
        ledger: its ledger.
    """

    def __init__(self, program: ServerProgram, find_pid: Callable[[], int | None], ledger: ProviderLedger) -> None:
        super().__init__(program, find_pid)
        self._ledger = ledger
        self._write_behaviour(NONE)  # a killed supervisor may have left a fault

    def apply(self, fault: str) -> None:
        """End the active fault and apply another one.

        Raises:
            sqlite3.Error: its ledger cannot be written; its behaviour is unchanged.
        """
        if fault == self.fault:
            return
        if self.fault == "hang":
            super().apply(NONE)  # a simulator that was stopped during a write holds the lock of its ledger
        self._write_behaviour(fault)
        super().apply(fault)

    def end(self) -> None:
        """End the active fault."""
        super().end()
        with suppress(sqlite3.Error):  # the next start ends it
            self._write_behaviour(NONE)

    def _write_behaviour(self, fault: str) -> None:
        with self._ledger.writing() as connection:
            behaviour_settings.set_fault(connection, BEHAVIOURS.get(fault, BehaviourSettings()))


def build_target(name: str, program: ServerProgram, find_pid: Callable[[], int | None], home: Path) -> FaultTarget:
    """Return the target of a fault.

    Args:
        name: of the fault.
        program: the server.
        find_pid: returns the id of its process, ``None`` while it does not run.
        home: the state directory.
    """
    if name == "payments":
        return PaymentsFaultTarget(program, find_pid, ProviderLedger(home / FILE))
    return FaultTarget(program, find_pid)


class ClientSideFault:
    """A fault of a server that the stack does not run: its clients read the report and simulate it."""

    def __init__(self) -> None:
        self.fault = NONE

    def apply(self, fault: str) -> None:
        """Set the active fault."""
        self.fault = fault

    def end(self) -> None:
        """End the active fault."""
        self.fault = NONE


class FaultDispatcher:
    """Reads requests from the channel and applies them to the targets.

    Args:
        channel: carries requests and reports.
        targets: dependency to its target.
    """

    def __init__(self, channel: FaultChannel, targets: Mapping[str, "FaultTarget | ClientSideFault"]) -> None:
        self._channel = channel
        self._targets = targets
        channel.close()  # faults end with their stack
        self._publish("")

    def run_once(self) -> list[str]:
        """Apply a new request, if there is one; return the changes as lines for the console."""
        request = self._channel.pending_request()
        if request is None or request.request_id == self._handled:
            return []
        applied, failed = [], []
        for name, target in self._targets.items():
            value = request.wanted.get(name, NONE)
            if value != target.fault:
                try:
                    target.apply(value)
                    applied.append(f"fault {name}={value}, as requested")
                except sqlite3.Error as error:
                    failed.append(f"fault {name}={value} could not be applied: {error}")
        self._publish(request.request_id, "; ".join(failed))
        return applied + failed

    def end(self) -> None:
        """End every fault, so that the servers can be stopped cleanly."""
        for target in self._targets.values():
            target.end()
        self._channel.close()

    def _publish(self, request_id: str, failed: str = "") -> None:
        self._handled = request_id
        active = {name: target.fault for name, target in self._targets.items()}
        self._channel.publish_report(FaultReport(tuple(self._targets), active, request_id, failed))


def kill_random_child(pid: int | None) -> None:
    """Kill one of a server's child processes, at random; the server itself starts another."""
    try:
        children = psutil.Process(pid).children() if pid is not None else []
        if children:
            random.choice(children).kill()
    except psutil.Error:
        return  # the child has ended by itself


def _for_each_process(pid: int, act: Callable[[psutil.Process], None]) -> None:
    """Call a function with a process and all its descendants; first with the parent, which then starts no more.

    PostgreSQL's backends lead process groups of their own: a signal to the server's group would not reach them.
    """
    try:
        leader = psutil.Process(pid)
        children = leader.children(recursive=True)
    except psutil.Error:
        return
    for process in (leader, *children):
        try:
            act(process)
        except psutil.Error:
            continue  # it ended meanwhile
