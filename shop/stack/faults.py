"""Applies faults to the stack's own servers: really kills, stops and empties them.

A killed server stays down because the supervisor does not start it. A hanging server keeps its port and its
connections, and nothing in it runs (SIGSTOP): a client of a machine that swaps sees the same. The payments simulator
can also be slow or fail: it reads its behaviour settings from its ledger before each call.
"""

import random
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from shop.faults import NONE, FaultChannel, FaultReport, FaultRequest, percentage_of
from shop.payments.simulator import behaviour_settings
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.ledger import FILE, ProviderLedger
from shop.stack.program import ServerProgram

SERVERS: Mapping[str, str] = {
    "cache": "cache",
    "database": "postgres",
    "broker": "broker",
    "web": "web",
    "worker": "worker",
    "edge": "edge",
    "payments": "payments",
}
"""Fault to the program that it affects."""
BEHAVIOURS: Mapping[str, BehaviourSettings] = {
    "slow": BehaviourSettings(latency_ms=12_000),
    "failing": BehaviourSettings(error_rate=0.1),
}
"""Slow is four times the store's limit for one call. So few calls fail that the store's retry budget covers them."""
RETRY_END_S = 1.0


def behaviour_of(fault: str) -> BehaviourSettings:
    """Return how the simulator behaves during a fault; ``failing:50`` lets half of the calls fail."""
    percentage = percentage_of(fault)
    if percentage is not None:
        return BehaviourSettings(error_rate=percentage / 100)
    return BEHAVIOURS.get(fault, BehaviourSettings())


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
            behaviour_settings.set_fault(connection, behaviour_of(fault))


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
    """Reads requests from the channel, applies them to the targets, and ends each fault after its time.

    Args:
        channel: carries requests and reports.
        targets: dependency to its target.
        monotonic: the clock that counts, in seconds; the clock of the wall may be set.
    """

    def __init__(
        self,
        channel: FaultChannel,
        targets: Mapping[str, "FaultTarget | ClientSideFault"],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channel = channel
        self._targets = targets
        self._now = monotonic
        self._ends_at: dict[str, float] = {}
        self._handled = self._failed = ""
        channel.close()  # faults end with their stack
        self._publish()

    def run_once(self) -> list[str]:
        """Apply a new request, and end what has lasted its time; return the changes as lines for the console."""
        lines = self._end_expired()
        request = self._channel.pending_request()
        if request is None or request.request_id == self._handled:
            return lines
        applied, failed = [], []
        for name, value in request.wanted.items():
            if name in self._targets:
                try:
                    applied += self._apply(name, value, request)
                except sqlite3.Error as error:
                    failed.append(f"fault {name}={value} could not be applied: {error}")
        self._handled, self._failed = request.request_id, "; ".join(failed)
        self._publish()
        return lines + applied + failed

    def end(self) -> None:
        """End every fault, so that the servers can be stopped cleanly."""
        for target in self._targets.values():
            target.end()
        self._channel.close()

    def _apply(self, name: str, value: str, request: FaultRequest) -> list[str]:
        target = self._targets[name]
        is_new = value != target.fault
        if is_new:
            target.apply(value)
        self._ends_at.pop(name, None)
        if target.fault == NONE:
            return [f"fault {name}={value}, as requested"] if is_new else []
        self._ends_at[name] = self._now() + request.seconds
        return [f"fault {name}={value}, as requested; it ends in {request.seconds} s"]

    def _end_expired(self) -> list[str]:
        """End the faults that have lasted their time; one that cannot be ended is tried again later."""
        lines = []
        for name in [name for name, at in self._ends_at.items() if self._now() >= at]:
            fault = self._targets[name].fault
            try:
                self._targets[name].apply(NONE)
            except sqlite3.Error as error:
                self._ends_at[name] = self._now() + RETRY_END_S
                lines.append(f"fault {name}={fault} could not be ended: {error}")
                continue
            del self._ends_at[name]
            lines.append(f"fault {name}={fault} has lasted its time and is over")
        if lines:
            self._publish()
        return lines

    def _publish(self) -> None:
        active = {name: target.fault for name, target in self._targets.items()}
        ends_at = {name: time.time() + at - self._now() for name, at in self._ends_at.items()}
        self._channel.publish_report(FaultReport(tuple(self._targets), active, self._handled, self._failed, ends_at))


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
