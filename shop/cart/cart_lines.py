"""What a cart amounts to, decided from what lies in it and what is on offer now. Pure."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shop.cart.models import MAX_LINES, MAX_QUANTITY
from shop.money import Money

NO_LONGER_SOLD = "This is no longer sold."


class CartOffer(Protocol):
    """What the cart needs to know of a product; the catalogue's offers fit."""

    @property
    def product_id(self) -> int:
        """Return the product's id."""

    @property
    def slug(self) -> str:
        """Return its name in addresses."""

    @property
    def title(self) -> str:
        """Return what people call it."""

    @property
    def picture(self) -> str:
        """Return the path of its picture."""

    @property
    def unit_price(self) -> Money:
        """Return what one piece costs now."""

    @property
    def available(self) -> int:
        """Return how many pieces can be had now."""

    @property
    def withdrawn(self) -> bool:
        """Tell whether it is no longer sold."""


@dataclass(frozen=True, slots=True)
class HeldLine:
    """What a checkout takes of a line: how many pieces, and the name under which they lie in the cart."""

    quantity: int
    line_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class StoredItem:
    """What is stored of a line."""

    product_id: int
    quantity: int
    seen_price: Money
    """What one piece cost when the shopper last touched the line."""


@dataclass(frozen=True, slots=True)
class CartLine:
    """One product of a cart, at today's price."""

    product_id: int
    slug: str
    title: str
    picture: str
    quantity: int
    unit_price: Money
    available: int
    notes: tuple[str, ...]
    """What the shopper should know before she buys, one sentence each."""

    @property
    def total(self) -> Money:
        """Return what the line costs."""
        return self.unit_price * self.quantity

    @property
    def can_be_bought(self) -> bool:
        """Tell whether enough pieces are there right now."""
        return self.available >= self.quantity


@dataclass(frozen=True, slots=True)
class CartView:
    """A cart as it stands now."""

    lines: tuple[CartLine, ...]

    @property
    def count(self) -> int:
        """Return the number of pieces."""
        return sum(line.quantity for line in self.lines)

    @property
    def total(self) -> Money:
        """Return what everything costs."""
        return sum((line.total for line in self.lines), Money(0))

    @property
    def can_be_bought(self) -> bool:
        """Tell whether a checkout would find everything, as things stand now."""
        return bool(self.lines) and all(line.can_be_bought for line in self.lines)


def price_cart(kept: Sequence[StoredItem], offers: Mapping[int, CartOffer]) -> CartView:
    """Price a cart anew; a product that is no longer offered is left out."""
    return CartView(tuple(_line(item, offers[item.product_id]) for item in kept if item.product_id in offers))


def limit_note(quantity: int) -> str | None:
    """Return what to say of a line that has reached the limit, whether or not more was asked for."""
    return f"{MAX_QUANTITY} is the most of one product a cart holds." if quantity >= MAX_QUANTITY else None


def merge_note(pieces: int, left: int = 0) -> str | None:
    """Return what to say when ``pieces`` came over from the guest's cart, and ``left`` products found no room."""
    said = []
    if pieces:
        items, were = ("item", "was") if pieces == 1 else ("items", "were")
        said.append(f"{pieces} {items} from your guest cart {were} added.")
    if left:
        products, were = ("product", "was") if left == 1 else ("products", "were")
        said.append(f"{left} {products} of it {were} left out: a cart holds {MAX_LINES} different ones.")
    return " ".join(said) or None


def _line(kept: StoredItem, offer: CartOffer) -> CartLine:
    return CartLine(
        product_id=offer.product_id,
        slug=offer.slug,
        title=offer.title,
        picture=offer.picture,
        quantity=kept.quantity,
        unit_price=offer.unit_price,
        available=offer.available,
        notes=tuple(_notes(kept, offer)),
    )


def _notes(kept: StoredItem, offer: CartOffer) -> list[str]:
    if offer.withdrawn:
        return [f"{NO_LONGER_SOLD} Remove it to check out."]
    notes = []
    if offer.available <= 0:
        notes.append("Sold out at the moment. Remove it to check out.")
    elif offer.available < kept.quantity:
        notes.append(f"Only {offer.available} left. Lower the quantity to check out.")
    if kept.seen_price != offer.unit_price:
        way = "risen" if offer.unit_price > kept.seen_price else "fallen"
        notes.append(f"The price has {way} from {kept.seen_price} to {offer.unit_price} since you chose it.")
    return notes
