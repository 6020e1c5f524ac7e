"""Calls an attempt for a check: announces each call, and turns an exception into a failure report."""

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from shop.exercises.attempt_interface import AttemptInterface
from shop.exercises.graders.attempt_servers import AttemptServers
from shop.exercises.short_text import shorten as shorten
from shop.exercises.verdict import AttemptFailed, FailureReport


class PrintedTooMuch(BaseException):
    """The attempt printed more than the check accepts; not an ``Exception``, so that the attempt does not catch it."""


@dataclass(frozen=True)
class DefinedCall:
    """What the attempt defines, and its interface.

    Args:
        function: the attempt's, or the store's own.
        interface: its parameters, and the methods of what it returns.
    """

    function: Callable[..., Any]
    interface: AttemptInterface


class AttemptCalls:
    """Calls the attempt for one check.

    Args:
        check: name of the check.
        path: the attempt's file.
        announce: told of each call before it begins: if the process ends in it, the last announcement names it.
        seed: of the random numbers that the check uses.
        defined: what the attempt defines; the object that a call of it returns is checked against its Protocol.
        servers: Valkey and PostgreSQL, for the checks that use them.
    """

    def __init__(
        self,
        check: str,
        path: Path,
        announce: Callable[[str], None],
        seed: int,
        defined: DefinedCall,
        servers: AttemptServers,
    ) -> None:
        self._check = check
        self._defined = defined
        self._path = path
        self._announce = announce
        self.rng = random.Random(seed)
        self.servers = servers

    def call(self, text: str, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
        """Call a function of the attempt and return its value.

        Args:
            text: the call as the reader would write it.
            function: the attempt's.
            arguments: of the call.
            keywords: of the call.

        Raises:
            AttemptFailed: the call raised, or the returned object lacks a method of its Protocol.
        """
        self._announce(text)
        try:
            value = function(*arguments, **keywords)
            if function is self._defined.function:
                self._check_returned(text, value)
            return value
        except AttemptFailed:  # from here, or from a function that the check handed in
            raise
        except (Exception, SystemExit, PrintedTooMuch) as error:  # noqa: BLE001 - whatever the attempt raises
            self.fail(text, "it returns.", *describe_error(error, self._path))

    def together(self, *parts: Callable[[], Any]) -> list[Any]:
        """Run several parts of a check at the same time, each in a thread of its own, and return their values.

        What decides the race is handed in by the check: a barrier, or a function that waits for another thread.

        Args:
            parts: each calls the attempt through :meth:`call`.

        Raises:
            AttemptFailed: of the first part that failed.
        """
        from concurrent.futures import ThreadPoolExecutor  # few checks have a race

        with ThreadPoolExecutor(len(parts)) as threads:
            futures = [threads.submit(part) for part in parts]
            return [future.result() for future in futures]

    def fail(self, did: str, expected: str, came: str, look: str) -> NoReturn:
        """Fail the check.

        Args:
            did: what was done.
            expected: the right outcome.
            came: the outcome.
            look: where to look next.

        Raises:
            AttemptFailed: always.
        """
        raise AttemptFailed(FailureReport(self._check, did, expected, came, look))

    def _check_returned(self, text: str, value: Any) -> None:
        expected, came = self._defined.interface.find_returned_fault(value)
        if came:
            look = "Without `return`, a call returns None." if value is None else f"See {_place_of(value, self._path)}."
            self.fail(text, expected, came, look)


def describe_error(error: BaseException, path: Path) -> tuple[str, str]:
    """Return what an exception of the attempt means, and the line to look at.

    Args:
        error: the exception.
        path: the attempt's file.
    """
    look = _last_line(error, path)
    if isinstance(error, SystemExit):
        return f"your code ended the program (sys.exit, code {error.code}).", look
    if isinstance(error, PrintedTooMuch):
        return f"your code printed more than {error} bytes.", look
    if isinstance(error, RecursionError):
        return "your code calls itself without an end (RecursionError).", look
    return f"{type(error).__name__}: {shorten(str(error))}", look


def _place_of(value: Any, path: Path) -> str:
    """Return where a function or an object's class is defined, if that is in the attempt."""
    method = value if hasattr(value, "__code__") else getattr(type(value), "__init__", None)
    code = getattr(method, "__code__", None)
    return f"{path}:{code.co_firstlineno}" if code is not None and code.co_filename == str(path) else str(path)


def _last_line(error: BaseException, path: Path) -> str:
    """Return the innermost place of the attempt in a traceback; its file if there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}:{frames[-1].lineno}, in {frames[-1].name}" if frames else str(path)
