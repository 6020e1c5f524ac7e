"""``shop books`` after an arm: what did not match that matched before it."""

import json
import subprocess
import sys
from dataclasses import dataclass

from shop.errors import ConfigurationError, ServiceUnavailable

TIMEOUT_S = 120.0
NO_MISMATCHES, MISMATCHES_FOUND, AUDIT_FAILED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class AuditorMismatch:
    """One thing the auditor named."""

    kind: str
    id: str


def audit_mismatches(look_again_s: float = 1.0) -> frozenset[AuditorMismatch]:
    """Return everything the auditor names in this checkout's store.

    It runs as a command of its own: the lab knows nothing of databases, and the auditor nothing of the lab.

    Args:
        look_again_s: seconds until a mismatch is looked for a second time.

    Raises:
        ConfigurationError: one of the two sides cannot be read.
        ServiceUnavailable: the auditor itself failed.
    """
    words = [sys.executable, "-m", "shop.cli", "books", "--json", "--look-again", str(look_again_s)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ServiceUnavailable(f"The auditor did not end within {TIMEOUT_S:.0f} s.") from None
    if done.returncode == AUDIT_FAILED:
        raise ConfigurationError(f"The books cannot be checked: {done.stderr.strip()}")
    if done.returncode not in (NO_MISMATCHES, MISMATCHES_FOUND):
        raise ServiceUnavailable(f"The auditor failed: {done.stderr.strip()[-300:]}")
    return frozenset(AuditorMismatch(one["kind"], one["id"]) for one in json.loads(done.stdout)["mismatches"])
