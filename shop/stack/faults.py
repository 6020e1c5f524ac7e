"""Doing to the stack's own servers what was ordered: really killing, stopping and emptying them.

A server that was killed is kept down by holding its next start; one that hangs keeps its port and its connections, and
nothing in it runs (SIGSTOP): what a client sees of a machine that swaps, or of a network that swallows. The payments
simulator can also be taught bad manners, which it reads in its books before each call.
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
"""Fault to the name of the program it is done to."""
MANNERS: Mapping[str, BehaviourSettings] = {
    "slow": BehaviourSettings(latency_ms=12_000),
    "failing": BehaviourSettings(error_rate=0.1),
}
"""What the simulator is told to be. Slow is four times what the store waits for one call; failing is no more than the
store's budget for retries can make good again and again."""


class FaultTarget:
    """What can be done to one server. The supervisor says how its process stands.

    Args:
        program: the server.
        pid: returns the id of its process, ``None`` while it does not run.
    """

    def __init__(self, program: ServerProgram, pid: Callable[[], int | None]) -> None:
        self._program = program
        self._pid = pid
        self.fault = NONE

    @property
    def kept_down(self) -> bool:
        """Tell whether it must not be started again."""
        return self.fault == "down"

    def put(self, fault: str) -> None:
        """End what is in force, and put another fault in force; ``flush`` and ``kill`` are over when they are done."""
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
            kill_one(self._pid())
            self.fault = NONE
        self.keep()

    def keep(self) -> None:
        """Make a fault true of the process there is now; it may have been started since."""
        if self.fault in ("hang", "down") and (pid := self._pid()) is not None:
            _each(pid, psutil.Process.suspend if self.fault == "hang" else psutil.Process.kill)

    def end(self) -> None:
        """End what is in force, so that the server can be stopped well."""
        self.resume()
        self.fault = NONE

    def resume(self) -> None:
        """Let a stopped process go on: it could not obey a wish to end."""
        if (pid := self._pid()) is not None:
            _each(pid, psutil.Process.resume)


class PaymentsFaultTarget(FaultTarget):
    """What can be done to the payments simulator: what can be to any server, and bad manners.

    They are written into its books, not asked of it: one that hangs, or whose threads all wait, could not be mended
    otherwise. Restarted, it has the manners of the fault in force; a new stack begins with none.

    Args:
        program: the simulator.
        pid: as for any server.
        books: its books.
    """

    def __init__(self, program: ServerProgram, pid: Callable[[], int | None], books: ProviderLedger) -> None:
        super().__init__(program, pid)
        self._books = books
        self._teach(NONE)  # what a supervisor that was killed could not end

    def put(self, fault: str) -> None:
        """End what is in force, and put another fault in force.

        Raises:
            sqlite3.Error: its books cannot be written; then its manners are as they were.
        """
        if fault == self.fault:
            return
        if self.fault == "hang":
            super().put(NONE)  # stopped while it writes, it would keep its books shut
        self._teach(fault)
        super().put(fault)

    def end(self) -> None:
        """End what is in force, without a next one."""
        super().end()
        with suppress(sqlite3.Error):  # the next start ends it
            self._teach(NONE)

    def _teach(self, fault: str) -> None:
        with self._books.writing() as connection:
            behaviour_settings.put_fault(connection, MANNERS.get(fault, BehaviourSettings()))


def victim_of(name: str, program: ServerProgram, pid: Callable[[], int | None], home: Path) -> FaultTarget:
    """Return what can be done to a server.

    Args:
        name: of the fault.
        program: the server.
        pid: returns the id of its process, ``None`` while it does not run.
        home: the state directory.
    """
    return (
        PaymentsFaultTarget(program, pid, ProviderLedger(home / FILE))
        if name == "payments"
        else FaultTarget(program, pid)
    )


class AtTheClient:
    """A fault of a server that is not ours: its clients read the desk and behave as if."""

    def __init__(self) -> None:
        self.fault = NONE

    def put(self, fault: str) -> None:
        """Put a fault in force."""
        self.fault = fault

    def end(self) -> None:
        """End what is in force."""
        self.fault = NONE


class FaultDispatcher:
    """Reads the desk and deals with the victims.

    Args:
        desk: where faults are ordered.
        victims: fault name to the server.
    """

    def __init__(self, desk: FaultChannel, victims: Mapping[str, "FaultTarget | AtTheClient"]) -> None:
        self._desk = desk
        self._victims = victims
        desk.close()  # what was in force when a stack ended is not in force now
        self._say("")

    def run_once(self) -> list[str]:
        """Carry out a new order, if there is one; return what changed, in words."""
        order = self._desk.orders()
        if order is None or order.order == self._done:
            return []
        said, failed = [], []
        for name, victim in self._victims.items():
            value = order.wanted.get(name, NONE)
            if value != victim.fault:
                try:
                    victim.put(value)
                    said.append(f"fault {name}={value}, as ordered")
                except sqlite3.Error as error:
                    failed.append(f"fault {name}={value} could not be put in force: {error}")
        self._say(order.order, "; ".join(failed))
        return said + failed

    def end(self) -> None:
        """End every fault, so that the servers can be stopped well."""
        for victim in self._victims.values():
            victim.end()
        self._desk.close()

    def _say(self, order: str, failed: str = "") -> None:
        self._done = order
        in_force = {name: victim.fault for name, victim in self._victims.items()}
        self._desk.say(FaultReport(tuple(self._victims), in_force, order, failed))


def kill_one(pid: int | None) -> None:
    """Kill one of the processes a server has made, whichever, and leave the server itself to make another."""
    try:
        made = psutil.Process(pid).children() if pid is not None else []
        if made:
            random.choice(made).kill()
    except psutil.Error:
        return  # it ended by itself: the server will know


def _each(pid: int, act: Callable[[psutil.Process], None]) -> None:
    """Do something to a process and all it has made; the parent first, which then makes no more.

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
