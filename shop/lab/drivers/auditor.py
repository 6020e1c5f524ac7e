"""Runs ``bin/shop books``, the auditor of the store's books, for experiments that compare before and after an arm."""

import json
import subprocess
import sys
from dataclasses import dataclass

from shop.errors import ConfigurationError, ServiceUnavailable

TIMEOUT_S = 120.0
NO_MISMATCHES, MISMATCHES_FOUND, AUDIT_FAILED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class AuditorMismatch:
    """One mismatch that the auditor reports."""

    kind: str
    id: str


def audit_mismatches(look_again_s: float = 1.0) -> frozenset[AuditorMismatch]:
    """Return every mismatch that the auditor reports for the store of this checkout.

    The auditor runs as a command of its own: the lab does not use the database, and the auditor does not know the lab.

    Args:
        look_again_s: seconds until the auditor checks a mismatch a second time.

    Raises:
        ConfigurationError: the auditor cannot read one of the two sides.
        ServiceUnavailable: the auditor itself failed.
    """
    command = [sys.executable, "-m", "shop.cli", "books", "--json", "--look-again", str(look_again_s)]
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
