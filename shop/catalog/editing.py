"""Edits of a product by an administrator, with detection of conflicting edits (optimistic offline lock)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.catalog import products, slug_history
from shop.catalog.forms import unified_newlines
from shop.catalog.inventory import StockedProduct
from shop.catalog.listing import search_words
from shop.catalog.models import Product, StockItem
from shop.errors import StateConflict

Values = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class ProductChange:
    """A change of a product; a field that is ``None`` keeps its value. Price in minor units, ``on_hand`` in pieces.

    ``original`` has the values on which the change is based, as far as they are known. If another edit has changed such
    a field meanwhile, the change is a conflict. A field that is not in ``original`` is written without a comparison.
    """

    price: int | None = None
    title: str | None = None
    description: str | None = None
    on_hand: int | None = None
    slug: str | None = None
    withdrawn: bool | None = None
    original: Values = field(default_factory=lambda: MappingProxyType({}))

    @property
    def values(self) -> Values:
        """Return the values to write, by field."""
        fields = {
            "price": self.price,
            "title": self.title,
            "description": self.description,
            "on_hand": self.on_hand,
            "slug": self.slug,
            "withdrawn": self.withdrawn,
        }
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def is_count(self) -> bool:
        """Tell whether the change concerns the number of pieces only."""
        return self.values.keys() <= {"on_hand"}


class EditConflict(StateConflict):
    """Another edit has changed the same field meanwhile; ``errors`` names each such field."""

    problem = "edit-conflict"


def lock_product(session: Session, slug: str, change: ProductChange) -> None:
    """Lock a product, and its stock if the edit changes it, until the transaction ends.

    Orders and carts may still insert references to the product. A new slug needs PostgreSQL's exclusive row lock; it is
    taken here, before the lock on the stock. Otherwise the edit and a checkout could wait for each other (deadlock).

    Raises:
        NotFound, ProductRenamed: no product has this slug now.
    """
    statement = select(Product.id).where(Product.slug == slug).with_for_update(key_share=change.slug is None)
    product_id = session.scalar(statement)
    if product_id is None:
        raise products.not_found_error(session, slug)
    if change.on_hand is not None:
        session.execute(select(StockItem.on_hand).where(StockItem.product_id == product_id).with_for_update())


def stored_values(row: StockedProduct) -> Values:
    """Return the stored values of a product, in the fields and units of :class:`ProductChange`."""
    return {
        "price": row.price.amount,
        "title": row.title,
        "description": unified_newlines(row.description),
        "on_hand": row.on_hand,
        "slug": row.slug,
        "withdrawn": row.is_withdrawn,
    }


def conflicting_fields(stored: Values, change: ProductChange) -> list[str]:
    """Return the fields that another edit has changed meanwhile, by a three-way comparison.

    It compares the original value, the new value and the stored value. A field is no conflict if the stored value is
    the original one, or if it is the new one already.

    Args:
        stored: the stored values, by field.
        change: the new values and the original ones.
    """
    return [
        name
        for name, new in change.values.items()
        if name in change.original and stored[name] not in (change.original[name], new)
    ]


def apply_change(session: Session, product_id: int, change: ProductChange) -> None:
    """Write a change of a product and its stock.

    Raises:
        StateConflict: the new count is below the reserved pieces, or the slug is taken.
    """
    values = {"price_amount": change.price, "title": change.title, "description": change.description}
    new_values = {name: value for name, value in values.items() if value is not None}
    if new_values:
        session.execute(update(Product).where(Product.id == product_id).values(**new_values))
    if change.withdrawn is not None:
        since = func.coalesce(Product.withdrawn_at, func.now()) if change.withdrawn else null()
        session.execute(update(Product).where(Product.id == product_id).values(withdrawn_at=since))
    if change.title is not None or change.withdrawn is False:
        search_words.add_words(session, product_id)
    if change.withdrawn:
        search_words.remove_words(session, product_id)
    if change.slug is not None:
        slug_history.rename(session, product_id, change.slug)
    if change.on_hand is not None:
        set_on_hand(session, product_id, change.on_hand)


def set_on_hand(session: Session, product_id: int, on_hand: int) -> None:
    """Set the number of pieces in stock.

    Raises:
        StateConflict: more pieces are reserved.
    """
    statement = insert(StockItem).values(product_id=product_id, on_hand=on_hand, received=on_hand)
    updated = session.execute(
        statement.on_conflict_do_update(
            index_elements=["product_id"],
            set_={"on_hand": on_hand, "received": StockItem.received + on_hand - StockItem.on_hand},
            where=StockItem.reserved <= on_hand,
        ).returning(StockItem.product_id)
    )
    if updated.one_or_none() is None:
        reserved = session.scalar(select(StockItem.reserved).where(StockItem.product_id == product_id))
        raise StateConflict(
            f"Checkouts have reserved {reserved} pieces. The stock must be at least that.",
            errors={"on_hand": f"at least {reserved}"},
        )
