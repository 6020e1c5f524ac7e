"""What became of a file."""

from dataclasses import asdict, dataclass, field
from typing import Any

LISTED_REFUSALS = 1_000
"""Refused rows that are listed one by one; the rest is only counted."""


@dataclass(frozen=True)
class RowRefusal:
    """A row that was not taken, and why."""

    line: int
    reason: str


@dataclass
class ImportReport:
    """What became of a file."""

    accepted: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    """Rows that say what is stored already."""
    withdrawn: int = 0
    """Rows that name a withdrawn product. It is changed and stays withdrawn."""
    refused: int = 0
    committed: bool = False
    resumed_after: int = 0
    """The line an earlier, stopped run of the same file had come to; 0 if there was none."""
    refusals: list[RowRefusal] = field(default_factory=list)
    """The first of them, by line; ``refused`` counts them all."""

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return asdict(self)

    def refuse(self, line: int, reason: str) -> None:
        """Count a refused row, and list it while there is room."""
        self.refused += 1
        if len(self.refusals) < LISTED_REFUSALS:
            self.refusals.append(RowRefusal(line, reason))

    def withdraw(self, line: int, reason: str) -> None:
        """Refuse a row that was accepted before."""
        self.accepted -= 1
        self.refuse(line, reason)
