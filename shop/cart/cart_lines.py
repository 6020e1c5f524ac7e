"""Prices a cart: computes its lines, totals and notes from the stored items and the current offers. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shop.cart.models import MAX_LINES, MAX_QUANTITY
from shop.money import Money

NO_LONGER_SOLD = "This is no longer sold."


class CartOffer(Protocol):
    """The fields of a product that a cart needs; the catalogue's offers implement it."""

    @property
    def product_id(self) -> int:
        """Return the product's id."""

    @property
    def slug(self) -> str:
        """Return the product's name in URLs."""

    @property
    def title(self) -> str:
        """Return the product's title."""

    @property
    def picture(self) -> str:
        """Return the path of the product's picture."""

    @property
    def unit_price(self) -> Money:
        """Return the current price of one piece."""

    @property
    def available(self) -> int:
        """Return the number of pieces that can be bought now."""

    @property
    def withdrawn(self) -> bool:
        """Tell whether the product is no longer sold."""


@dataclass(frozen=True, slots=True)
class LockedLine:
    """The fields of a line that a checkout needs: its quantity and its id in the cart."""

    quantity: int
    line_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class StoredItem:
    """The stored fields of a line."""

    product_id: int
    quantity: int
    seen_price: Money
    """The price of one piece at the shopper's last change of the line."""


@dataclass(frozen=True, slots=True)
class CartLine:
    """One product of a cart at its current price."""

    product_id: int
    slug: str
    title: str
    picture: str
    quantity: int
    unit_price: Money
    available: int
    notes: tuple[str, ...]
    """Changes that the shopper should know before the checkout, one sentence each."""

    @property
    def total(self) -> Money:
        """Return the price of the line."""
        return self.unit_price * self.quantity

    @property
    def can_be_bought(self) -> bool:
        """Tell whether enough pieces are available now."""
        return self.available >= self.quantity


@dataclass(frozen=True, slots=True)
class CartView:
    """A cart at current prices."""

    lines: tuple[CartLine, ...]

    @property
    def count(self) -> int:
        """Return the number of pieces."""
        return sum(line.quantity for line in self.lines)

    @property
    def total(self) -> Money:
        """Return the price of all lines."""
        return sum((line.total for line in self.lines), Money(0))

    @property
    def can_be_bought(self) -> bool:
        """Tell whether the cart has lines and all of them are available now."""
        return bool(self.lines) and all(line.can_be_bought for line in self.lines)


def price_cart(items: Sequence[StoredItem], offers: Mapping[int, CartOffer]) -> CartView:
    """Compute a cart at current prices; a product without an offer is left out."""
    return CartView(
        tuple(
            CartLine(
                product_id=offer.product_id,
                slug=offer.slug,
                title=offer.title,
                picture=offer.picture,
                quantity=item.quantity,
                unit_price=offer.unit_price,
                available=offer.available,
                notes=tuple(_line_notes(item, offer)),
            )
            for item in items
            if (offer := offers.get(item.product_id)) is not None
        )
    )


def limit_note(quantity: int) -> str | None:
    """Return the note for a line that has reached the limit, even if no more pieces were requested."""
    return f"A cart can have at most {MAX_QUANTITY} pieces of one product." if quantity >= MAX_QUANTITY else None


def merge_note(pieces: int, left_out: int = 0) -> str | None:
    """Return the note after a merge, or ``None`` if it moved nothing.

    Args:
        pieces: moved from the guest's cart.
        left_out: products without a free line.
    """
    sentences = []
    if pieces:
        items, were = ("item", "was") if pieces == 1 else ("items", "were")
        sentences.append(f"{pieces} {items} from your guest cart {were} added.")
    if left_out:
        products, were = ("product", "was") if left_out == 1 else ("products", "were")
        sentences.append(
            f"{left_out} {products} {were} not added: a cart can have at most {MAX_LINES} different products."
        )
    return " ".join(sentences) or None


def _line_notes(item: StoredItem, offer: CartOffer) -> list[str]:
    if offer.withdrawn:
        return [f"{NO_LONGER_SOLD} Remove it to check out."]
    notes = []
    if offer.available <= 0:
        notes.append("Sold out at the moment. Remove it to check out.")
    elif offer.available < item.quantity:
        notes.append(f"Only {offer.available} left. Lower the quantity to check out.")
    if item.seen_price != offer.unit_price:
        direction = "risen" if offer.unit_price > item.seen_price else "fallen"
        notes.append(f"The price has {direction} from {item.seen_price} to {offer.unit_price} since you chose it.")
    return notes
