"""Doing to the stack's own servers what was ordered: really killing, stopping and emptying them.

A server that was killed is kept down by holding its next start; one that hangs keeps its port and its connections, and
nothing in it runs (SIGSTOP): what a client sees of a machine that swaps, or of a network that swallows.
"""

import random
import socket
from collections.abc import Callable, Mapping

import psutil

from shop.faults import NONE, Desk, Report
from shop.stack.program import Program

SERVERS: Mapping[str, str] = {"cache": "cache", "database": "postgres", "broker": "broker", "web": "web"}
"""Fault to the name of the program it is done to."""
FLUSH_TIMEOUT_S = 2.0


class Victim:
    """What can be done to one server. The supervisor says how its process stands.

    Args:
        program: the server.
        pid: returns the id of its process, ``None`` while it does not run.
    """

    def __init__(self, program: Program, pid: Callable[[], int | None]) -> None:
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
            flush(self._program.port)
            self.fault = NONE
        if fault == "kill":
            kill_one(self._pid())
            self.fault = NONE
        self.keep()

    def keep(self) -> None:
        """Make a fault true of the process there is now; it may have been started since."""
        if self.fault in ("hang", "down") and (pid := self._pid()) is not None:
            _each(pid, psutil.Process.suspend if self.fault == "hang" else psutil.Process.kill)

    def resume(self) -> None:
        """Let a stopped process go on: it could not obey a wish to end."""
        if (pid := self._pid()) is not None:
            _each(pid, psutil.Process.resume)


class AtTheClient:
    """A fault of a server that is not ours: its clients read the desk and behave as if."""

    def __init__(self) -> None:
        self.fault = NONE

    def put(self, fault: str) -> None:
        """Put a fault in force."""
        self.fault = fault

    def resume(self) -> None:
        """Nothing was stopped."""


class Faults:
    """Reads the desk and deals with the victims.

    Args:
        desk: where faults are ordered.
        victims: fault name to the server.
    """

    def __init__(self, desk: Desk, victims: Mapping[str, "Victim | AtTheClient"]) -> None:
        self._desk = desk
        self._victims = victims
        desk.close()  # what was in force when a stack ended is not in force now
        self._say("")

    def run_once(self) -> list[str]:
        """Carry out a new order, if there is one; return what changed, in words."""
        order = self._desk.orders()
        if order is None or order.order == self._done:
            return []
        said = []
        for name, victim in self._victims.items():
            value = order.wanted.get(name, NONE)
            if value != victim.fault:
                victim.put(value)
                said.append(f"fault {name}={value}, as ordered")
        self._say(order.order)
        return said

    def end(self) -> None:
        """End every fault, so that the servers can be stopped well."""
        for victim in self._victims.values():
            victim.resume()
            victim.fault = NONE
        self._desk.close()

    def _say(self, order: str) -> None:
        self._done = order
        self._desk.say(Report(tuple(self._victims), {name: v.fault for name, v in self._victims.items()}, order))


def flush(port: int) -> None:
    """Empty a Valkey; one that does not answer keeps what it has, and an order is not worth waiting for it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=FLUSH_TIMEOUT_S) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            connection.recv(16)
    except OSError:
        return


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
