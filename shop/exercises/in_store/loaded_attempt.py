"""One version of an attempt in one process: loads it, and calls it under guard."""

import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from shop.errors import ServiceUnavailable
from shop.exercises.attempt_interface import AttemptInterface, load_interface
from shop.exercises.graders.attempt_calls import PrintedTooMuch, describe_error
from shop.exercises.in_store.call_watchdog import CallOverdue, CallWatchdog, GuardedCall
from shop.exercises.in_store.process_guards import AttemptExit, SharedFlag
from shop.exercises.short_text import shorten
from shop.exercises.source_check import check_source
from shop.exercises.verdict import AttemptFailed, FailureReport
from shop.switches.attempt_notes import AttemptNote
from shop.switches.attempt_slots import STATE_SUFFIX, AttemptSlot

IMPORT_LIMIT_MS = 2_000
"""An import runs once in a process, and may load a library."""
NOTES_OF_A_KIND = 3
"""Notes on one line of the reader that one process writes: a call that fails may fail a thousand times a second."""
MARK_SUFFIX = ".call"
TRACE_SUFFIX = ".trace"
TRACED_CHARS = 20_000


@dataclass(frozen=True)
class AttemptPlace:
    """Where one version of an attempt lies.

    Args:
        slot: of the exercise.
        version: of the attempt.
        copy: the path of its text.
        process: kind of this process.
    """

    slot: AttemptSlot
    version: str
    copy: Path
    process: str

    @property
    def label(self) -> str:
        """Return the process in the form of a note."""
        return f"{self.process} {os.getpid()}"

    @property
    def mark_path(self) -> Path:
        """Return the file that says whether a call is under way in this process."""
        return self.copy.with_name(f"{self.version}.{self.label.replace(' ', '-')}{MARK_SUFFIX}")


class LoadedAttempt:
    """One version of an attempt, loaded in this process.

    Args:
        place: where it lies.
        watchdog: runs the calls.
        add_note: writes a note about this version.
        replace_process: lets this process be replaced; the argument is the reason.
    """

    def __init__(
        self,
        place: AttemptPlace,
        watchdog: CallWatchdog,
        add_note: Callable[[AttemptNote], None],
        replace_process: Callable[[str], None],
    ) -> None:
        self.file = place.slot.file
        self.place = place
        self.function: Callable[..., Any] | None = None
        """What the attempt defines; ``None`` if it could not be loaded."""
        self.interface: AttemptInterface = load_interface(place.slot.defines, place.slot.interface)
        self._watchdog = watchdog
        self._add_note = add_note
        self._replace_process = replace_process
        self._built: dict[str, Any] = {}
        self._noted: Counter[tuple[str, str]] = Counter()
        self._is_suspended = SharedFlag(place.copy.with_suffix(STATE_SUFFIX))
        self._is_called = SharedFlag(place.mark_path)

    @property
    def is_suspended(self) -> bool:
        """Return whether the store's own code does all calls at the moment."""
        return bool(self._is_suspended)

    @property
    def defined(self) -> Callable[..., Any]:
        """Return what the attempt defines; only a loaded attempt is called."""
        assert self.function is not None  # noqa: S101 - see above
        return self.function

    def load(self) -> None:
        """Import the copy, and check what it defines. A fault is noted, and the store's own code stays in force."""
        self._is_suspended.set(False)
        copy, file, defines = str(self.place.copy), self.file, self.place.slot.defines
        try:
            check_source(self.place.copy, self.interface)
            module = self._import()
            function = getattr(module, defines, None)
            if not callable(function):
                came = f"`{defines}` is {shorten(function)}." if hasattr(module, defines) else f"it has no `{defines}`."
                self._note(FailureReport("interface", f"The store imported {file}.", "", came, file))
            elif fault := self.interface.find_fault(function):
                self._note(FailureReport("interface", f"The store imported {file}.", "", fault, file))
            else:
                self.function = function
        except AttemptFailed as failed:
            texts = (failed.report.did, failed.report.expected, failed.report.came, failed.report.look)
            did, expected, came, look = (
                text.replace(copy, file).replace(self.place.copy.name, Path(file).name) for text in texts
            )
            self._note(FailureReport(failed.report.check, did, expected, f"{came} Expected: {expected}", look))

    def call(
        self,
        text: str,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        otherwise: Callable[[], Any],
        find_fault: Callable[[Any], str] = lambda value: "",
        *,
        after_failure: Callable[[], Any] | None = None,
        passes: tuple[type[Exception], ...] = (),
    ) -> Any:
        """Call a function of the attempt; if it fails, the store's own code does the work.

        Args:
            text: the call, as the reader would write it.
            function: the attempt's.
            arguments: of the call.
            otherwise: does the same with the store's own code.
            find_fault: returns what is wrong with a returned value; empty if it fits.
            after_failure: called instead of ``otherwise`` if the attempt may have done a part of the work.
            passes: exceptions by which a right attempt may answer.

        Raises:
            BaseException: an error of the store's own code, which the attempt let through, or one of ``passes``.
        """
        if self._is_suspended:
            return otherwise()
        call = GuardedCall(self, text, self.place.slot.call_limit_ms)
        self._is_called.set(True)
        try:
            value = self._watchdog.run(call, function, arguments)
        except CallOverdue:
            return (after_failure or otherwise)()
        except BaseException as error:
            if error is call.store_error or isinstance(error, passes):
                raise
            self._note_error(text, error)
            return (after_failure or otherwise)()
        finally:
            if not self._watchdog.has_calls(self):
                self._is_called.set(False)
        if fault := find_fault(value):
            self._note(FailureReport("return", text, "", fault, self.file))
            return (after_failure or otherwise)()
        return value

    def refuse(self) -> NoReturn:
        """Fail the request in whose transaction the attempt may have done a part of its work.

        Raises:
            ServiceUnavailable: always; the transaction is rolled back.
        """
        raise ServiceUnavailable(f"The code of exercise {self.place.slot.number} failed here; /lab tells where.")

    def once(self, name: str, build: Callable[[], Any]) -> Any:
        """Return an object of this version that outlives a change of another switch.

        Args:
            name: of the object.
            build: called until it has returned one; ``None`` for a failure.
        """
        if self._built.get(name) is None:
            self._built[name] = build()
        return self._built[name]

    def make(self, text: str, arguments: tuple[Any, ...], otherwise: Callable[[], Any]) -> Any:
        """Call what the attempt defines, and check the methods of the object that it returns.

        Args:
            text: the call, as the reader would write it.
            arguments: of the call.
            otherwise: does the same with the store's own code.
        """
        return self.call(text, self.defined, arguments, otherwise, self._returned_fault)

    def wrap_store(self, function: Callable[..., Any], *, passes_errors: bool = True) -> Callable[..., Any]:
        """Return a function of the store in the form that the attempt may call: its time does not count.

        Args:
            function: the store's own.
            passes_errors: whether an attempt is right that lets its errors through.
        """
        return self._watchdog.wrap_store(function, passes_errors=passes_errors)

    def unload(self) -> None:
        """Delete the files of this process."""
        self.place.mark_path.unlink(missing_ok=True)
        sys.modules.pop(self._module_name, None)

    def on_overdue(self) -> None:
        """Let the store's own code do all further calls in all processes, until it is clear how this one ends."""
        self._is_suspended.set(True)

    def on_late_end(self, call: GuardedCall) -> None:
        """Note a call that the watchdog could end, and call the attempt again from now on."""
        self._is_suspended.set(False)
        if not call.is_import:
            self._note_end("overdue", call, "the store raised an exception in it")

    def on_stuck(self, call: GuardedCall) -> None:
        """Have the process replaced: the call cannot be ended."""
        self._note_end("stuck", call, "an exception did not end it, so the process is replaced")
        self._replace_process(f"a call of exercise {self.place.slot.number} does not return")

    def _returned_fault(self, value: Any) -> str:
        expected, came = self.interface.find_returned_fault(value)
        return f"{came} Expected: {expected}" if came else ""

    @property
    def _module_name(self) -> str:
        return f"attempt_{self.place.slot.number}_{self.place.version}"

    def _import(self) -> ModuleType:
        module = ModuleType(self._module_name)
        module.__file__ = self.file
        sys.modules[module.__name__] = module  # dataclasses and pickle look a class's module up here
        did, expected = f"The store imported {self.file}.", "a module."
        code = compile(self.place.copy.read_bytes(), self.file, "exec")  # the reader's file in each traceback
        call = GuardedCall(self, did, IMPORT_LIMIT_MS, is_import=True)
        self._is_called.set(True)
        try:
            self._watchdog.run(call, exec, (code, module.__dict__))
        except CallOverdue:
            came = f"the import had not ended after {IMPORT_LIMIT_MS / 1000:g} s."
            raise AttemptFailed(FailureReport("import", did, expected, came, call.place)) from None
        except BaseException as error:  # noqa: BLE001 - whatever the attempt raises
            raise AttemptFailed(FailureReport("import", did, expected, *self._describe(error))) from None
        finally:
            self._is_called.set(False)
        return module

    def _note_error(self, text: str, error: BaseException) -> None:
        kinds = {SystemExit: "exit", AttemptExit: "exit", PrintedTooMuch: "output", RecursionError: "recursion"}
        kind = next((name for known, name in kinds.items() if isinstance(error, known)), "exception")
        self._note(FailureReport(kind, text, "", *self._describe(error)))

    def _describe(self, error: BaseException) -> tuple[str, str]:
        came, look = describe_error(error, Path(self.file))
        if isinstance(error, AttemptExit):
            came = f"your code wanted to end the process (os._exit, code {error.code})."
        return came, look

    def _note_end(self, kind: str, call: GuardedCall, means: str) -> None:
        came = f"it had not returned after {call.limit_ms} ms; {means}."
        self._add_note(AttemptNote(kind, call.text, came, call.place, self.place.label, ended=True))

    def _note(self, report: FailureReport) -> None:
        self._noted[report.check, report.look] += 1
        if self._noted[report.check, report.look] <= NOTES_OF_A_KIND:
            self._add_note(AttemptNote(report.check, report.did, report.came, report.look, self.place.label))


def find_dead_calls(place: AttemptPlace) -> list[AttemptNote]:
    """Return a note for each process that has ended in a call of a version, and delete its files.

    Args:
        place: of the version.
    """
    notes = []
    for mark in place.copy.parent.glob(f"{place.version}.*{MARK_SUFFIX}"):
        label = mark.name.removeprefix(f"{place.version}.").removesuffix(MARK_SUFFIX).replace("-", " ")
        if _is_alive(label.rpartition(" ")[2]):
            continue
        trace = mark.parent.parent / f"{label.replace(' ', '-')}{TRACE_SUFFIX}"
        with suppress(OSError):  # another process was quicker
            was_called = mark.read_bytes() != b"\0"
            traced = trace.read_text(errors="replace")[:TRACED_CHARS] if trace.exists() else ""
            mark.unlink()
            trace.unlink(missing_ok=True)
            if was_called:
                notes.append(_describe_death(place.slot, label, traced))
    return notes


def _describe_death(slot: AttemptSlot, label: str, traced: str) -> AttemptNote:
    did = f"A call of {slot.defines} in process {label}."
    for line in traced.splitlines():
        if line.strip().startswith(f'File "{slot.file}", line '):
            _, _, rest = line.partition('", line ')
            number, _, function = rest.partition(" in ")
            came = "no Python code ran in the process for seconds: code in C does not return. The process was ended."
            return AttemptNote("hung", did, came, f"{slot.file}:{number}, in {function}", label, ended=True)
    came = "the process ended in it: by a signal, or because code in C failed."
    return AttemptNote("died", did, came, slot.file, label, ended=True)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
