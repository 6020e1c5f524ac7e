"""Adds a new product to the catalogue."""

from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.orm import Session

from shop.catalog import editing, slug_history
from shop.catalog.categories import tree
from shop.catalog.listing import search_words
from shop.catalog.models import Product
from shop.errors import InvalidFields, NotFound


@dataclass(frozen=True, slots=True)
class NewProduct:
    """A new product.

    Args:
        slug: its name in the URL.
        title: its name for people.
        brand: of its maker.
        category: slug of its category.
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
    """Add a product with its stock, and add its words to the spelling correction.

    Raises:
        InvalidFields: there is no such category, or it is a department.
        StateConflict: the slug is or was that of another product.
    """
    hierarchy = tree.load(session)
    try:
        category = hierarchy.get(new.category)
    except NotFound:
        raise InvalidFields("There is no such category.", errors={"category": "no such category"}) from None
    if hierarchy.children(category):
        raise InvalidFields(
            "Choose a category of this department.", errors={"category": "a department: choose one of its categories"}
        )
    values = {
        "slug": new.slug,
        "title": new.title,
        "brand": new.brand,
        "category_id": category.id,
        "description": new.description,
        "price_amount": new.price,
    }
    with slug_history.claim_slug(session, new.slug):
        product_id = session.execute(insert(Product).values(**values).returning(Product.id)).scalar_one()
    editing.set_on_hand(session, product_id, new.on_hand)
    search_words.add_words(session, product_id)
