"""What the auditor finds, and how it is told."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BookMismatch:
    """One thing that is not so.

    Args:
        kind: which of the rules it breaks; see ``docs/reference/books.md``.
        id: the order's public id, the product's slug, the provider's id of a charge, or the id of a message.
        says: what stands against what.
    """

    kind: str
    id: str
    says: str

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What an audit came to: how much was looked at, and all that was wrong."""

    orders: int
    products: int
    charges: int
    under_way: int
    """Orders waiting for their payment, too young to be held against anybody."""
    mismatches: tuple[BookMismatch, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return {**asdict(self), "mismatches": [mismatch.to_json() for mismatch in self.mismatches]}


def confirmed(first: Iterable[BookMismatch], second: Iterable[BookMismatch]) -> tuple[BookMismatch, ...]:
    """Return what the second look still shows of what the first one showed, in its newer words. Pure."""
    before = {(mismatch.kind, mismatch.id) for mismatch in first}
    return tuple(mismatch for mismatch in second if (mismatch.kind, mismatch.id) in before)
