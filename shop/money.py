"""Money is an integer number of minor units and a currency; never a float."""

from dataclasses import dataclass
from typing import TypedDict

CURRENCY = "EUR"
"""The only currency of the store (ISO 4217)."""

MINOR_UNITS = 100
"""Cents in a euro."""


class MoneyJSON(TypedDict):
    """Money as the API shows it."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in minor units (cents) of one currency."""

    amount: int
    currency: str = CURRENCY

    def __add__(self, other: "Money") -> "Money":
        """Add two amounts of the same currency; raise ``ValueError`` for two currencies."""
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def __mul__(self, quantity: int) -> "Money":
        """Multiply by a whole number of pieces."""
        return Money(self.amount * quantity, self.currency)

    def __str__(self) -> str:
        """Return the amount as text for a shopper, such as ``€1,234.50``."""
        sign = "-" if self.amount < 0 else ""
        whole, cents = divmod(abs(self.amount), MINOR_UNITS)
        return f"{sign}€{whole:,}.{cents:02d}"

    def to_json(self) -> MoneyJSON:
        """Return the API's shape, ``{"amount": 1299, "currency": "EUR"}``."""
        return {"amount": self.amount, "currency": self.currency}
