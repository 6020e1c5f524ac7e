"""Compares the lines or the total that a shopper agreed to with the cart at the time of the order. Pure.

A total alone is not enough: another tab may have replaced a product by another one of the same price. So a page agrees
to lines; an API client may at least send the total that it expects.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from shop.errors import CartChanged
from shop.money import Money


class PricedLine(Protocol):
    """A product, its quantity and its unit price; lines of carts and of orders fit."""

    @property
    def product_id(self) -> int:
        """Return the product's id."""

    @property
    def quantity(self) -> int:
        """Return the number of pieces."""

    @property
    def unit_price(self) -> Money:
        """Return the price of one piece."""


@dataclass(frozen=True, slots=True)
class PurchaseAgreement:
    """The shopper's agreement; ``None`` leaves that part open.

    Args:
        total: the sum that the shopper expects to pay.
        lines: the fingerprint of the lines that the page showed, made by :func:`lines_fingerprint`.
    """

    total: Money | None = None
    lines: str | None = None

    def check(self, total: Money, lines: Iterable[PricedLine]) -> None:
        """Compare the agreement with the purchase.

        Raises:
            CartChanged: the total or the lines differ.
        """
        if self.total not in (None, total):
            raise CartChanged(f"Your cart comes to {total} now. Please look at it again.")
        if self.lines not in (None, lines_fingerprint(lines)):
            raise CartChanged("Your cart or a price in it has changed. Please look at it again; nothing was ordered.")


OPEN_AGREEMENT = PurchaseAgreement()
"""Agrees to any lines and any total."""


def lines_fingerprint(lines: Iterable[PricedLine]) -> str:
    """Return a hash of products, quantities and unit prices. The order of the lines does not matter."""
    parts = sorted(
        f"{line.product_id} {line.quantity} {line.unit_price.amount} {line.unit_price.currency}" for line in lines
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
