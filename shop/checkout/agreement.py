"""What a shopper agreed to pay, held against what her cart comes to when the order is placed. Pure.

A sum alone says little: another tab may have put another product of the same price into the cart. So a page agrees to
lines, and a program may at least name the total it expects.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from shop.errors import CartChanged
from shop.money import Money


class PricedLine(Protocol):
    """A product, how many pieces of it and what one costs; lines of carts and of orders fit."""

    @property
    def product_id(self) -> int:
        """Return the product's id."""

    @property
    def quantity(self) -> int:
        """Return the number of pieces."""

    @property
    def unit_price(self) -> Money:
        """Return what one piece costs."""


@dataclass(frozen=True, slots=True)
class PurchaseAgreement:
    """What was agreed to; ``None`` leaves that part open.

    Args:
        total: the sum the shopper expects to pay.
        lines: the fingerprint of the lines she was shown, made by :func:`lines_fingerprint`.
    """

    total: Money | None = None
    lines: str | None = None

    def check(self, total: Money, lines: Iterable[PricedLine]) -> None:
        """Compare the agreement with what would be bought now.

        Raises:
            CartChanged: the total or the lines differ.
        """
        if self.total not in (None, total):
            raise CartChanged(f"Your cart comes to {total} now. Please look at it again.")
        if self.lines not in (None, lines_fingerprint(lines)):
            raise CartChanged("Your cart or a price in it has changed. Please look at it again; nothing was ordered.")


OPEN_AGREEMENT = PurchaseAgreement()
"""Agrees to whatever the cart holds."""


def lines_fingerprint(lines: Iterable[PricedLine]) -> str:
    """Return a hash of products, quantities and unit prices, whatever the order of the lines."""
    parts = sorted(
        f"{line.product_id} {line.quantity} {line.unit_price.amount} {line.unit_price.currency}" for line in lines
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
