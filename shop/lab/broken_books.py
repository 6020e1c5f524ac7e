"""Records which experiment made which mismatch in the books on purpose, so that no one looks for a fault behind it.

Some experiments show a problem by leaving mismatches in the books, and those mismatches remain. A file beside the
results of experiments names the experiment of each mismatch; ``bin/shop books`` reads the file.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from shop.atomic_files import atomic_write

FILE_NAME = "broken-books.json"
Mismatches = Collection[tuple[str, str]]
"""Kind and id of each mismatch."""


class BrokenBooks:
    """The file of one checkout of this project.

    Args:
        folder: the folder of experiment results.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def experiments_by_mismatch(self) -> dict[tuple[str, str], str]:
        """Return each mismatch that an experiment made, by kind and id, with the experiment and its day."""
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
            return {(entry["kind"], entry["id"]): entry["made_by"] for entry in entries}
        except (OSError, ValueError, TypeError, KeyError):
            return {}  # the audit is still correct without the file; only the origin of a mismatch is missing

    def add(self, mismatches: Mismatches, made_by: str) -> None:
        """Record the experiment of these mismatches; an older record of a mismatch stays."""
        known = {**dict.fromkeys(mismatches, made_by), **self.experiments_by_mismatch()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = [{"kind": kind, "id": name, "made_by": maker} for (kind, name), maker in sorted(known.items())]
        atomic_write(self._path, json.dumps(lines, indent=1))


@contextmanager
def record_new_mismatches(
    experiment: str, folder: Path, audit: Callable[[], Mismatches], started: datetime, report: Callable[[str], None]
) -> Iterator[None]:
    """Record and report the mismatches that the block leaves behind, also if the block raises.

    Args:
        experiment: its name.
        folder: the folder of experiment results.
        audit: returns the mismatches of this moment.
        started: the start of the experiment.
        report: receives one sentence about the mismatches that remain.
    """
    before = set(audit())
    try:
        yield
    finally:
        remaining = set(audit()) - before
        BrokenBooks(folder).add(remaining, f"{experiment}, {started:%Y-%m-%d}")
        if remaining:
            mismatches = "1 mismatch remains" if len(remaining) == 1 else f"{len(remaining):,} mismatches remain"
            report(
                f"{experiment} damages the books on purpose: {mismatches}. `bin/shop books` marks each with the name "
                "of the experiment. `bin/shop reset` starts with a fresh store."
            )
        else:
            report(f"{experiment} damages the books on purpose, but no mismatch remains.")
