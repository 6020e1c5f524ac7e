"""Runs ``bin/shop books``, the auditor of the store's books, for experiments that compare before and after an arm."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from shop.errors import ConfigurationError, ServiceUnavailable

TIMEOUT_S = 120.0
AUDIT_S = 1.5
"""About how long an audit of the orders of an experiment takes."""
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
    command = [sys.executable, "-m", "shop.cli", "books", "--json", "--look-again", str(look_again_s)]
    command += [] if placed_within_s is None else ["--placed-within", str(placed_within_s)]
    try:
        audit = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ServiceUnavailable(f"The auditor did not end within {TIMEOUT_S:.0f} s.") from None
    if audit.returncode == AUDIT_FAILED:
        raise ConfigurationError(f"The books cannot be checked: {audit.stderr.strip()}")
    if audit.returncode not in (NO_MISMATCHES, MISMATCHES_FOUND):
        raise ServiceUnavailable(f"The auditor failed: {audit.stderr.strip()[-300:]}")
    mismatches = json.loads(audit.stdout)["mismatches"]
    return frozenset(AuditorMismatch(mismatch["kind"], mismatch["id"]) for mismatch in mismatches)


def audit_recent(placed_within_s: float) -> frozenset[AuditorMismatch]:
    """Return every mismatch of the orders of the last so many seconds, and of all stock."""
    return audit_mismatches(placed_within_s=placed_within_s)


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
