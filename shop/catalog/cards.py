"""Products as lists show them: the columns to read, and the card made of a row."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from shop.catalog.models import OFFERED, Category, Product, StockItem
from shop.catalog.pictures.drawing import picture_url
from shop.catalog.schemas import ProductCard
from shop.money import Money
from shop.web.schemas import MoneySchema

AVAILABLE = func.coalesce(StockItem.on_hand - StockItem.reserved, 0)
"""Pieces that can be bought now; a product without a stock row has none."""
COLUMNS = (
    Product.id,
    Product.slug,
    Product.title,
    Product.brand,
    Product.price_amount,
    Product.currency,
    Product.rating,
    Product.rating_count,
    Category.picture,
    (AVAILABLE > 0).label("in_stock"),
)
"""What a card is made of; :func:`joined` brings the tables together."""

AnyRow = Row[*tuple[Any, ...]]
AnySelect = Select[*tuple[Any, ...]]


def joined(statement: AnySelect) -> AnySelect:
    """Join what a card needs to a statement that selects from products."""
    return statement.join(Category, Category.id == Product.category_id).outerjoin(
        StockItem, StockItem.product_id == Product.id
    )


def by_ids(session: Session, ids: Sequence[int]) -> list[ProductCard]:
    """Return the cards of the products that are sold, in the order asked for; one query."""
    if not ids:
        return []
    rows = session.execute(joined(select(*COLUMNS)).where(Product.id.in_(ids), OFFERED))
    found = {row.id: card(row) for row in rows}
    return [found[number] for number in ids if number in found]


def card(row: AnyRow) -> ProductCard:
    """Make a card of a row that holds :data:`COLUMNS`."""
    return ProductCard(**fields(row))


def fields(row: AnyRow) -> dict[str, Any]:
    """Return a card's fields from a row that holds :data:`COLUMNS`."""
    return {
        "slug": row.slug,
        "title": row.title,
        "brand": row.brand,
        "price": price(row.price_amount, row.currency),
        "rating": float(row.rating),
        "rating_count": row.rating_count,
        "picture": picture_url(row.picture, row.slug),
        "in_stock": row.in_stock,
        "url": product_url(row.slug),
    }


def price(amount: int, currency: str) -> MoneySchema:
    """Write an amount of minor units in the API's shape."""
    return MoneySchema(**Money(amount, currency).to_json())


def product_url(slug: str) -> str:
    """Return the path of a product's page."""
    return f"/p/{slug}"


def category_url(slug: str) -> str:
    """Return the path of a category's page."""
    return f"/c/{slug}"
