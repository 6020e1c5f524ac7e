"""The result of an audit, and its JSON."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BookMismatch:
    """One mismatch.

    Args:
        kind: the rule that is broken; see ``docs/reference/books.md``.
        id: the order's public id, the product's slug, the provider's id of a charge, or the id of a message.
        says: the two values that do not match, in words.
    """

    kind: str
    id: str
    says: str

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The result of an audit: the numbers of audited rows, and all mismatches."""

    orders: int
    products: int
    charges: int
    under_way: int
    """Orders that wait for their payment and are too young to be a mismatch."""
    mismatches: tuple[BookMismatch, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return {**asdict(self), "mismatches": [mismatch.to_json() for mismatch in self.mismatches]}


def confirmed_mismatches(first: Iterable[BookMismatch], second: Iterable[BookMismatch]) -> tuple[BookMismatch, ...]:
    """Return the mismatches of the second audit that the first one also found. Pure."""
    first_keys = {(mismatch.kind, mismatch.id) for mismatch in first}
    return tuple(mismatch for mismatch in second if (mismatch.kind, mismatch.id) in first_keys)
