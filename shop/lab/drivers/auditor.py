"""Runs ``bin/shop books``, the auditor of the store's books, for experiments that compare before and after an arm."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from shop.errors import ConfigurationError, ServiceUnavailable

COMMAND = (sys.executable, "-m", "shop.cli", "books", "--json")
TIMEOUT_S = 120.0
AUDIT_S = 0.7
"""About how long an audit of the orders of an experiment takes; with mismatches, it looks twice."""
LOOK_AGAIN_S = 0.5
"""With the time of the first look, enough for a change to reach both sides."""
BEFORE_S = 60.0
"""An auditor audits the orders that were placed from so many seconds before its own begin on."""
NO_MISMATCHES, MISMATCHES_FOUND, AUDIT_FAILED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class AuditorMismatch:
    """One mismatch that the auditor reports."""

    kind: str
    id: str


def audit_mismatches(
    look_again_s: float = LOOK_AGAIN_S, placed_within_s: float | None = None
) -> frozenset[AuditorMismatch]:
    """Return every mismatch that the auditor reports for the store of this checkout.

    The auditor runs as a command of its own: the lab does not use the database, and the auditor does not know the lab.

    Args:
        look_again_s: seconds until the auditor checks a mismatch a second time.
        placed_within_s: audit only orders of the last so many seconds, and all stock; ``None``: all orders.

    Raises:
        ConfigurationError: the auditor cannot read one of the two sides.
        ServiceUnavailable: the auditor itself failed.
    """
    command = [*COMMAND, "--look-again", str(look_again_s)]
    command += [] if placed_within_s is None else ["--placed-within", str(placed_within_s)]
    try:
        audit = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ServiceUnavailable(f"The auditor did not end within {TIMEOUT_S:.0f} s.") from None
    if audit.returncode == AUDIT_FAILED:
        raise ConfigurationError(f"The books cannot be checked: {audit.stderr.strip()}")
    if audit.returncode not in (NO_MISMATCHES, MISMATCHES_FOUND):
        raise ServiceUnavailable(f"The auditor failed: {audit.stderr.strip()[-300:]}")
    return _parse(audit.stdout)


def _parse(document: str) -> frozenset[AuditorMismatch]:
    mismatches = json.loads(document)["mismatches"]
    return frozenset(AuditorMismatch(mismatch["kind"], mismatch["id"]) for mismatch in mismatches)


def audit_recent(placed_within_s: float) -> frozenset[AuditorMismatch]:
    """Return every mismatch of the orders of the last so many seconds, and of all stock."""
    return audit_mismatches(placed_within_s=placed_within_s)


class AuditorProcess:
    """The auditor's command, which stays for all audits of an experiment: only the first waits for its start.

    A context manager; the process ends with the block, and with the process that started it.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def audit(self, placed_within_s: float) -> frozenset[AuditorMismatch]:
        """Return every mismatch of the orders of the last so many seconds, and of all stock.

        Raises:
            ConfigurationError: the auditor cannot read one of the two sides.
        """
        process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101 - as ordered below
        assert process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):  # it has ended; the missing answer tells
            process.stdin.write(f"{placed_within_s}\n")
            process.stdin.flush()
        if not (line := process.stdout.readline()):
            assert process.stderr is not None  # noqa: S101
            raise ConfigurationError(f"The books cannot be checked: {process.stderr.read().strip()}")
        return _parse(line)

    def _start(self) -> "subprocess.Popen[str]":
        self._process = subprocess.Popen(
            [*COMMAND, "--look-again", str(LOOK_AGAIN_S), "--stay"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C stops the experiment, whose end closes the pipe
        )
        return self._process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


class BooksAuditor:
    """Tells which mismatches an arm has made.

    Problem: an audit of all orders takes seconds, and one before and one after each arm are half of a short experiment.
    Method: only the orders of the experiment are audited, and all stock. The audit after an arm is also the one before
    the next arm, since nothing but the clean-up happens between.

    Args:
        audit: returns every mismatch of the orders of the last so many seconds.
    """

    def __init__(self, audit: Callable[[float], frozenset[AuditorMismatch]] = audit_recent) -> None:
        self._audit, self._began = audit, time.monotonic()
        self._known: frozenset[AuditorMismatch] | None = None

    def known_mismatches(self) -> frozenset[AuditorMismatch]:
        """Return the mismatches of the last audit; if there is none, audit."""
        if self._known is None:
            self._known = self._audit(time.monotonic() - self._began + BEFORE_S)
        return self._known

    def new_mismatches(self) -> frozenset[AuditorMismatch]:
        """Audit, and return the mismatches that the last audit did not report."""
        before = self.known_mismatches()
        self._known = None
        return self.known_mismatches() - before

    def forget(self) -> None:
        """Forget the last audit, since the books have changed."""
        self._known = None
