"""The report of an import."""

from dataclasses import asdict, dataclass, field
from typing import Any

LISTED_REFUSALS = 1_000
"""Refused rows in the list; further ones are only counted."""


@dataclass(frozen=True)
class RowRefusal:
    """A refused row, and the reason."""

    line: int
    reason: str


@dataclass
class ImportReport:
    """Counts of the imported and refused rows of a file."""

    accepted: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    """Rows whose values are stored already."""
    withdrawn: int = 0
    """Rows of withdrawn products. Such a product is updated and stays withdrawn."""
    refused: int = 0
    committed: bool = False
    resumed_after: int = 0
    """The last line of an earlier, stopped run with the same file; 0 if there was none."""
    refusals: list[RowRefusal] = field(default_factory=list)
    """The first refused rows, by line; ``refused`` counts all of them."""

    def to_json(self) -> dict[str, Any]:
        """Return the document of ``--json``."""
        return asdict(self)

    def refuse(self, line: int, reason: str) -> None:
        """Count a refused row, and list it below the limit."""
        self.refused += 1
        if len(self.refusals) < LISTED_REFUSALS:
            self.refusals.append(RowRefusal(line, reason))

    def withdraw(self, line: int, reason: str) -> None:
        """Refuse a row that was counted as accepted."""
        self.accepted -= 1
        self.refuse(line, reason)
