"""Notes which experiment made which mismatch in the books on purpose, so that nobody looks for a fault behind it.

Some experiments show a problem by breaking the books, and the mismatches stay. A note beside the results of experiments
names the experiment of each mismatch; ``shop books`` reads it.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from shop.atomic_files import atomic_write

FILE_NAME = "broken-books.json"
Mismatches = Collection[tuple[str, str]]
"""Kind and id of each."""


class BrokenBooks:
    """The note of one checkout.

    Args:
        folder: where results of experiments are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def experiments_by_mismatch(self) -> dict[tuple[str, str], str]:
        """Return for each mismatch made on purpose, by kind and id, the experiment and its day."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            return {(one["kind"], one["id"]): one["made_by"] for one in found}
        except (OSError, ValueError, TypeError, KeyError):
            return {}  # without the note the books are as true, and only less is said

    def add(self, mismatches: Mismatches, made_by: str) -> None:
        """Write down whose these are; what is known already stays whose it is."""
        known = {**dict.fromkeys(mismatches, made_by), **self.experiments_by_mismatch()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = [{"kind": kind, "id": name, "made_by": maker} for (kind, name), maker in sorted(known.items())]
        atomic_write(self._path, json.dumps(lines, indent=1))


@contextmanager
def record_new_mismatches(
    experiment: str, folder: Path, audit: Callable[[], Mismatches], started: datetime, say: Callable[[str], None]
) -> Iterator[None]:
    """Write down which mismatches the block leaves behind, however it ends, and say so.

    Args:
        experiment: its name.
        folder: where results are kept.
        audit: returns what does not match at the moment.
        started: when the experiment was.
        say: told what was left.
    """
    before = set(audit())
    try:
        yield
    finally:
        left = set(audit()) - before
        BrokenBooks(folder).add(left, f"{experiment}, {started:%Y-%m-%d}")
        say(_words(experiment, len(left)))


def _words(experiment: str, left: int) -> str:
    if not left:
        return f"{experiment} broke the books on purpose, and nothing of it is left."
    stay = "1 mismatch of it stays" if left == 1 else f"{left:,} mismatches of it stay"
    return (
        f"{experiment} broke the books on purpose: {stay}, and `shop books` says so of each."
        " `shop reset` is a fresh start."
    )
