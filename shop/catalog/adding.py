"""Putting a new product into the catalogue."""

from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.orm import Session

from shop.catalog import editing, naming
from shop.catalog.categories import tree as shelves
from shop.catalog.listing import search_words
from shop.catalog.models import Product
from shop.errors import InvalidFields, NotFound


@dataclass(frozen=True, slots=True)
class NewProduct:
    """A product to be sold from now on.

    Args:
        slug: its name in addresses.
        title: as people call it.
        brand: who makes it.
        category: slug of the category it stands in.
        description: may be empty.
        price: in minor units.
        on_hand: pieces.
    """

    slug: str
    title: str
    brand: str
    category: str
    description: str
    price: int
    on_hand: int


def add(session: Session, new: NewProduct) -> None:
    """Add a product with its stock, and let the spelling know its words.

    Raises:
        InvalidFields: there is no such category, or it is a department.
        StateConflict: the slug is, or was, another product's.
    """
    category_id = _category(session, new.category)
    values = {
        "slug": new.slug,
        "title": new.title,
        "brand": new.brand,
        "category_id": category_id,
        "description": new.description,
        "price_amount": new.price,
    }
    with naming.claiming(session, new.slug):
        product_id = session.execute(insert(Product).values(**values).returning(Product.id)).scalar_one()
    editing.count_stock(session, product_id, new.on_hand)
    search_words.learn(session, product_id)


def _category(session: Session, slug: str) -> int:
    tree = shelves.load(session)
    try:
        shelf = tree.get(slug)
    except NotFound:
        raise InvalidFields("There is no such category.", errors={"category": "no such category"}) from None
    if tree.children(shelf):
        raise InvalidFields(
            "Choose a category within it.", errors={"category": "a department: choose one of its categories"}
        )
    return shelf.id
