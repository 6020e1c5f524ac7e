"""Guards of a process in which attempts run: output, ``os._exit``, code in C that never returns, and a sudden end.

And one for the attempt: a wait for the database is not its fault.
"""

import faulthandler
import mmap
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TextIO

from shop.database.connection import StoreConnection
from shop.exercises.attempt_process import OUTPUT_LIMIT_BYTES
from shop.exercises.graders.attempt_calls import PrintedTooMuch
from shop.exercises.in_store.call_watchdog import TICK_S, CallWatchdog

HANG_S = 5.0
"""So long no Python code runs in the process, although the watchdog wants to: code in C does not give the interpreter
back. A thread in C then writes where each thread is, and ends the process."""
REARM_TICKS = round(0.5 / TICK_S)
end_process = os._exit
"""The real one."""


class AttemptExit(BaseException):
    """The attempt has called ``os._exit``.

    Args:
        code: the exit code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class GuardedOutput:
    """A stream of the process that accepts only so much text from one call of an attempt.

    Args:
        stream: receives the text.
        watchdog: tells the call that writes.
    """

    def __init__(self, stream: TextIO, watchdog: CallWatchdog) -> None:
        self.stream = stream
        self._watchdog = watchdog

    def write(self, text: str) -> int:
        """Write a text.

        Raises:
            PrintedTooMuch: a call of an attempt has written more than its limit.
        """
        call = self._watchdog.current_call
        if call is not None:
            call.printed += len(text.encode(errors="replace"))
            if call.printed > OUTPUT_LIMIT_BYTES:
                raise PrintedTooMuch(OUTPUT_LIMIT_BYTES)
        return self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the stream."""
        return getattr(self.stream, name)


class ProcessGuards:
    """Installs the guards of one process.

    Args:
        watchdog: of the process.
        trace_file: receives where each thread was when the process hung.
    """

    def __init__(self, watchdog: CallWatchdog, trace_file: Path) -> None:
        self._watchdog = watchdog
        self._trace_file = trace_file
        self._remove: list[Callable[[], None]] = []

    def install(self) -> None:
        """Install the guards, unless they are."""
        if self._remove:
            return
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            setattr(sys, name, GuardedOutput(stream, self._watchdog))
            self._remove.append(partial(setattr, sys, name, stream))
        os._exit = self._exit  # an attempt that is imported from now on gets this one
        self._remove.append(partial(setattr, os, "_exit", end_process))
        self._let_database_wait()
        trace = self._trace_file.open("w")
        self._remove += [lambda: self._trace_file.unlink(missing_ok=True), trace.close]
        ticks = 0

        def rearm() -> None:
            nonlocal ticks
            if ticks % REARM_TICKS == 0:
                faulthandler.dump_traceback_later(HANG_S, exit=True, file=trace)
            ticks += 1

        self._watchdog.on_tick = rearm
        self._watchdog.start()

    def _let_database_wait(self) -> None:
        """Let a wait for the database not count as the attempt's time: a row may be locked by a checkout of the store.

        The limits of statements and locks end such a wait (see ``shop.database.connection``).
        """
        wait = StoreConnection.wait
        StoreConnection.wait = self._watchdog.wrap_store(wait, passes_errors=False)  # type: ignore[method-assign]
        self._remove.append(partial(setattr, StoreConnection, "wait", wait))

    def remove(self) -> None:
        """Remove the guards."""
        self._watchdog.stop()
        faulthandler.cancel_dump_traceback_later()
        while self._remove:
            self._remove.pop()()

    def _exit(self, status: int) -> NoReturn:
        if self._watchdog.current_call is not None:
            raise AttemptExit(status)
        end_process(status)


class SharedFlag:
    """One byte that all processes of this machine share, by a file: true or false.

    Args:
        path: of the file; made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if os.fstat(descriptor).st_size == 0:
                os.write(descriptor, b"\0")
            self._memory = mmap.mmap(descriptor, 1)
        finally:
            os.close(descriptor)

    def __bool__(self) -> bool:
        """Return whether it is set."""
        return self._memory[0] != 0

    def set(self, value: bool) -> None:  # noqa: FBT001 - a flag takes a truth value
        """Set it."""
        self._memory[0] = value
