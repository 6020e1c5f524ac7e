"""Quantities and prices of receipt lines, and the rules for irregular lines. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median_low
from typing import NamedTuple

from shop.datasets.complete_journey.source import SourceLine
from shop.datasets.plan import SourceFinding

MOST_PIECES = 99
"""A larger quantity is not in pieces: the till counted thousandths of a gallon or hundredths of a pound."""
FREE = "lines that cost nothing"
NO_QUANTITY = "lines with a price and a quantity of zero"
EMPTY = "lines with a quantity and a price of zero"
MEASURED = "lines sold by measure, with a quantity above 99 or a price below a cent"
ROUNDED = "lines whose price does not divide evenly by their pieces"
NEGATIVE = "lines with a negative quantity or price"
TREATMENT = {
    FREE: "kept, at a unit price of zero; they do not count towards the product's price",
    NO_QUANTITY: "kept as one piece at that price; they do not count towards the product's price",
    EMPTY: "kept as one piece at a price of zero; they do not count towards the product's price",
    MEASURED: "kept as one piece at the price of the line",
    ROUNDED: "kept, each piece at the rounded price, so the order differs from the receipt by a few cents",
    NEGATIVE: "kept as one piece at a price of zero: an order cannot hold less than nothing",
}


class ReceiptLine(NamedTuple):
    """A line as an order stores it; ``oddity`` names the rule that was applied to an irregular line."""

    quantity: int
    unit_price: int
    """Cents."""
    oddity: str | None = None
    tells_price: bool = True
    """Whether the product's price may be derived from the line."""


def read_line(quantity: int, value: float) -> ReceiptLine:
    """Convert a quantity and a line's price in dollars to a quantity and a unit price in cents."""
    cents = round(value * 100)
    if quantity < 0 or cents < 0:
        return ReceiptLine(1, 0, NEGATIVE, tells_price=False)
    if quantity == 0:
        return ReceiptLine(1, cents, NO_QUANTITY if cents else EMPTY, tells_price=False)
    if cents == 0:
        return ReceiptLine(min(quantity, MOST_PIECES), 0, FREE, tells_price=False)
    if quantity > MOST_PIECES or cents < quantity:
        return ReceiptLine(1, cents, MEASURED)
    return ReceiptLine(quantity, round(cents / quantity), ROUNDED if cents % quantity else None)


@dataclass
class SalesSummary:
    """The sales of the year."""

    lines: int = 0
    baskets: int = 0
    households: set[int] = field(default_factory=set)
    pieces: Counter[int] = field(default_factory=Counter)
    first_sold: dict[int, datetime] = field(default_factory=dict)
    oddities: Counter[str] = field(default_factory=Counter)
    price: dict[int, int] = field(default_factory=dict)
    """Cents; the median of the year. A product that was never sold at a price is missing."""

    def findings(self) -> Sequence[SourceFinding]:
        """Return the irregularities of the lines."""
        return [SourceFinding(name, self.oddities[name], TREATMENT[name]) for name in TREATMENT if self.oddities[name]]


def summarise_sales(lines: Iterable[SourceLine]) -> SalesSummary:
    """Summarise all receipt lines in one pass."""
    sales = SalesSummary()
    prices: dict[int, list[int]] = {}
    basket = None
    for line in lines:
        receipt_line = read_line(line.quantity, line.value)
        sales.lines += 1
        if line.basket != basket:
            basket = line.basket
            sales.baskets += 1
            sales.households.add(line.household)
        sales.pieces[line.product] += receipt_line.quantity
        if line.product not in sales.first_sold:
            sales.first_sold[line.product] = line.at
        if receipt_line.oddity:
            sales.oddities[receipt_line.oddity] += 1
        if receipt_line.tells_price:
            prices.setdefault(line.product, []).append(receipt_line.unit_price)
    sales.price = {product: max(1, median_low(product_prices)) for product, product_prices in prices.items()}
    return sales
