"""What an administrator may change about a product."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sqlalchemy import func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.catalog import naming, products
from shop.catalog.forms import unified_newlines
from shop.catalog.inventory import StockedProduct
from shop.catalog.listing import search_words
from shop.catalog.models import Product, StockItem
from shop.errors import StateConflict

Values = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class ProductChange:
    """A change; what is ``None`` stays. Price in minor units, ``on_hand`` in pieces.

    ``seen`` is what these fields were when the change was decided on, as far as that is known. A field that somebody
    else changed meanwhile is then not written over; one that is not in ``seen`` is set whatever it is.
    """

    price: int | None = None
    title: str | None = None
    description: str | None = None
    on_hand: int | None = None
    slug: str | None = None
    withdrawn: bool | None = None
    seen: Values = field(default_factory=lambda: MappingProxyType({}))

    @property
    def values(self) -> Values:
        """Return what is to be written, by field."""
        given = {
            "price": self.price,
            "title": self.title,
            "description": self.description,
            "on_hand": self.on_hand,
            "slug": self.slug,
            "withdrawn": self.withdrawn,
        }
        return {name: value for name, value in given.items() if value is not None}

    @property
    def is_count(self) -> bool:
        """Tell whether it says nothing but how many pieces there are."""
        return self.values.keys() <= {"on_hand"}


class EditConflict(StateConflict):
    """Another changed a field that this edit wants to change, too; ``errors`` names each such field."""

    problem = "edit-conflict"


def lock(session: Session, slug: str, edit: ProductChange) -> None:
    """Hold a product against every other edit until the transaction ends, and its stock where that is counted.

    Orders and carts may still point to it meanwhile; but for a new slug PostgreSQL wants the row for itself, and asks
    for all of it here, before the stock, or a checkout that has the one and waits for the other would never end.

    Raises:
        NotFound: there is no such product; ProductRenamed: it has another slug by now.
    """
    found = select(Product.id).where(Product.slug == slug).with_for_update(key_share=edit.slug is None)
    product_id = session.scalar(found)
    if product_id is None:
        raise products.not_found_error(session, slug)
    if edit.on_hand is not None:
        session.execute(select(StockItem.on_hand).where(StockItem.product_id == product_id).with_for_update())


def stored(row: StockedProduct) -> Values:
    """Return what is stored of a product, in the fields and units of an :class:`Edit`."""
    return {
        "price": row.price.amount,
        "title": row.title,
        "description": unified_newlines(row.description),
        "on_hand": row.on_hand,
        "slug": row.slug,
        "withdrawn": row.is_withdrawn,
    }


def changed_meanwhile(now: Values, edit: ProductChange) -> list[str]:
    """Return the fields that an edit would write over another's change, by comparing three versions.

    The three are what was seen, what is wanted, and what is stored now. A field that is stored as it was seen is the
    edit's to change; one that is stored as wanted needs no change.

    Args:
        now: what is stored, by field.
        edit: what is wanted, and what was seen.
    """
    return [
        name for name, wanted in edit.values.items() if name in edit.seen and now[name] not in (edit.seen[name], wanted)
    ]


def apply(session: Session, product_id: int, edit: ProductChange) -> None:
    """Change a product and its stock.

    Raises:
        StateConflict: fewer pieces are said to be there than are promised to checkouts under way, or the slug is taken.
    """
    values = {"price_amount": edit.price, "title": edit.title, "description": edit.description}
    changed = {name: value for name, value in values.items() if value is not None}
    if changed:
        session.execute(update(Product).where(Product.id == product_id).values(**changed))
    if edit.withdrawn is not None:
        since = func.coalesce(Product.withdrawn_at, func.now()) if edit.withdrawn else null()
        session.execute(update(Product).where(Product.id == product_id).values(withdrawn_at=since))
    if edit.title is not None or edit.withdrawn is False:
        search_words.learn(session, product_id)
    if edit.withdrawn:
        search_words.forget(session, product_id)
    if edit.slug is not None:
        naming.rename(session, product_id, edit.slug)
    if edit.on_hand is not None:
        count_stock(session, product_id, edit.on_hand)


def count_stock(session: Session, product_id: int, on_hand: int) -> None:
    """Set how many pieces there are.

    Raises:
        StateConflict: more are promised than that.
    """
    statement = insert(StockItem).values(product_id=product_id, on_hand=on_hand, received=on_hand)
    done = session.execute(
        statement.on_conflict_do_update(
            index_elements=["product_id"],
            set_={"on_hand": on_hand, "received": StockItem.received + on_hand - StockItem.on_hand},
            where=StockItem.reserved <= on_hand,
        ).returning(StockItem.product_id)
    )
    if done.one_or_none() is None:
        reserved = session.scalar(select(StockItem.reserved).where(StockItem.product_id == product_id))
        raise StateConflict(
            f"{reserved} pieces are promised to checkouts under way: there must be at least as many.",
            errors={"on_hand": f"at least {reserved}"},
        )
