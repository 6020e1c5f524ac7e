"""The watchdog of the calls of attempts in one process.

It counts its own ticks and not seconds: on a machine that is too busy for this process, its thread gets no ticks
either, and the attempt is not blamed. While the attempt calls the store's own code (a loader, a query), nothing is
counted and nothing is raised: only the reader's code has a limit.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol

TICK_S = 0.025
STUCK_TICKS = 40
"""One second after the exception was raised."""


class CallOverdue(BaseException):
    """Raised in a call that takes too long; not an ``Exception``, so that the attempt does not catch it by accident."""


class AttemptMisuse(TypeError):
    """A function of the store cannot work with what the attempt handed to it: the attempt's mistake."""


class CallOwner(Protocol):
    """The attempt that is called."""

    file: str
    """The reader's file."""

    def on_overdue(self) -> None:
        """A call has reached its limit; called in the watchdog's thread, as the next one."""

    def on_stuck(self, call: "GuardedCall") -> None:
        """The exception did not end a call."""

    def on_late_end(self, call: "GuardedCall") -> None:
        """The exception has ended a call; called in the thread of the call."""


@dataclass(slots=True, eq=False)
class GuardedCall:
    """One call of an attempt.

    Args:
        owner: the attempt.
        text: the call, as the reader would write it.
        limit_ms: how long it may take.
        is_import: whether the attempt is imported by it.
    """

    owner: CallOwner
    text: str
    limit_ms: int
    is_import: bool = False
    thread: int = field(default=0, init=False)
    outer: "GuardedCall | None" = None
    """The call in which this one was made, in the same thread."""
    ticks: int = 0
    in_store: bool = False
    """Whether it is in the store's own code."""
    is_raised: bool = False
    is_done: bool = False
    is_noted: bool = False
    place: str = ""
    """File, line and function of the reader when the limit was reached."""
    printed: int = 0
    """Bytes."""
    store_error: BaseException | None = None
    """The last error that the store's own code raised in this call."""


class CallWatchdog:
    """Runs the calls of all attempts of one process, and ends those that take too long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: set[GuardedCall] = set()
        self._current = threading.local()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.on_tick: Callable[[], None] = lambda: None
        """Called at each tick."""

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._lock:
            self._stopped.clear()
            self._start_thread()

    def stop(self) -> None:
        """Stop the thread as soon as no call is under way. A call that begins later is ended, too."""
        self._stopped.set()
        thread = self._thread
        if thread is not None and not self._calls:
            thread.join(1)

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="attempt-watchdog", daemon=True)
            self._thread.start()

    @property
    def current_call(self) -> GuardedCall | None:
        """Return the call whose code runs in this thread; ``None`` in the store's own code."""
        return getattr(self._current, "call", None)

    def run(self, call: GuardedCall, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Call a function of an attempt.

        Args:
            call: describes the call.
            function: the attempt's.
            arguments: of the call.

        Raises:
            CallOverdue: it took too long.
        """
        try:
            try:
                self._enter(call)
                return function(*arguments)
            finally:
                self._leave(call)
        except CallOverdue:
            self._leave(call)  # the exception may have come in the first one; it is raised once, so not in this one
            raise

    def wrap_store(self, function: Callable[..., Any], *, passes_errors: bool = True) -> Callable[..., Any]:
        """Return a function of the store in the form that an attempt may call: without the limit.

        Args:
            function: the store's own. It raises :class:`AttemptMisuse` for arguments that it cannot use.
            passes_errors: whether its errors count as the store's if the attempt lets them through. A call with too
                many, too few or unknown arguments never counts as the store's error.
        """

        def call_store(*arguments: Any, **named: Any) -> Any:
            call = self.current_call
            if call is None:
                return function(*arguments, **named)
            self._enter_store(call)
            try:
                return function(*arguments, **named)
            except BaseException as error:
                call.store_error = error if passes_errors and not is_misuse(error) else None
                raise
            finally:
                self._leave_store(call)

        return call_store

    def has_calls(self, owner: CallOwner) -> bool:
        """Return whether a call of an attempt is under way."""
        return any(call.owner is owner for call in tuple(self._calls))

    def _enter(self, call: GuardedCall) -> None:
        call.outer, call.thread = self.current_call, threading.get_ident()
        with self._lock:
            self._calls.add(call)
            self._start_thread()  # a request may have taken the attempt just before it was withdrawn
        self._current.call = call

    def _leave(self, call: GuardedCall) -> None:
        self._current.call = call.outer
        with self._lock:
            call.is_done = True
            self._calls.discard(call)
            if call.is_raised:
                raise_in_thread(call.thread, None)  # it may still wait to be delivered
        if call.is_raised and not call.is_noted:
            call.is_noted = True
            call.owner.on_late_end(call)

    def _enter_store(self, call: GuardedCall) -> None:
        with self._lock:
            call.in_store = True
            if call.is_raised:
                raise_in_thread(call.thread, None)
        if call.is_raised:
            call.in_store = False
            raise CallOverdue
        self._current.call = None

    def _leave_store(self, call: GuardedCall) -> None:
        self._current.call = call
        call.in_store = False

    def _watch(self) -> None:
        while True:
            if not self._stopped.wait(TICK_S):
                self.on_tick()
            else:
                time.sleep(TICK_S)
            with self._lock:
                if self._stopped.is_set() and not self._calls:
                    self._thread = None
                    return
                calls = tuple(self._calls)
            for call in calls:
                self._tick(call)

    def _tick(self, call: GuardedCall) -> None:
        with self._lock:
            if call.is_done or call.in_store:
                return
            call.ticks += 1
            limit_ticks = limit_in_ticks(call.limit_ms)
            is_overdue = call.ticks == limit_ticks
            is_stuck = call.ticks == limit_ticks + STUCK_TICKS
            if is_overdue:
                call.place = find_place(call.thread, call.owner.file)
                call.is_raised = True
                raise_in_thread(call.thread, CallOverdue)
        if is_overdue:
            call.owner.on_overdue()
        elif is_stuck:
            call.is_noted = True
            call.owner.on_stuck(call)


def is_misuse(error: BaseException) -> bool:
    """Return whether the call of a function, and not its work, raised an error.

    Args:
        error: as the caller caught it. Without a frame below the caller's, no line of the function ran: the arguments
            do not fit.
    """
    if isinstance(error, AttemptMisuse):
        return True
    return isinstance(error, TypeError) and error.__traceback__ is not None and error.__traceback__.tb_next is None


def limit_in_ticks(limit_ms: int) -> int:
    """Return a limit in ticks. The first may come at once, so there is one more."""
    return max(1, round(limit_ms / 1000 / TICK_S)) + 1


def raise_in_thread(thread: int, error: type[BaseException] | None) -> None:
    """Raise an exception in another thread when it next runs Python code.

    Args:
        thread: its identifier.
        error: ``None`` takes back an exception that was not delivered yet.
    """
    reference = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), reference)


def find_place(thread: int, file: str) -> str:
    """Return the line and function of a file at which a thread is; the file if it is elsewhere.

    Args:
        thread: its identifier.
        file: of the reader.
    """
    frame: FrameType | None = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code.co_filename == file:
            return f"{file}:{frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back
    return file
