"""Calls an attempt for a check: announces each call, and turns an exception into a failure report."""

import random
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from shop.exercises.verdict import AttemptFailed, FailureReport

MAX_TEXT = 200
"""Characters of a value that fit into a message."""


class PrintedTooMuch(BaseException):
    """The attempt printed more than the check accepts; not an ``Exception``, so that the attempt does not catch it."""


class AttemptCalls:
    """Calls the attempt for one check.

    Args:
        check: name of the check.
        path: the attempt's file.
        announce: told of each call before it begins: if the process ends in it, the last announcement names it.
        seed: of the random numbers that the check uses.
    """

    def __init__(self, check: str, path: Path, announce: Callable[[str], None], seed: int) -> None:
        self._check = check
        self._path = path
        self._announce = announce
        self.rng = random.Random(seed)

    def call(self, text: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the attempt and return its value.

        Args:
            text: the call as the reader would write it.
            function: the attempt's.
            arguments: of the call.

        Raises:
            AttemptFailed: the call raised.
        """
        self._announce(text)
        try:
            return function(*arguments)
        except (Exception, SystemExit, PrintedTooMuch) as error:  # noqa: BLE001 - whatever the attempt raises
            self.fail(text, "it returns.", *describe_error(error, self._path))

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


def shorten(value: object) -> str:
    """Return a value as a text that fits into a message."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def _last_line(error: BaseException, path: Path) -> str:
    """Return the innermost place of the attempt in a traceback; its file if there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}:{frames[-1].lineno}, in {frames[-1].name}" if frames else str(path)
