"""Product cards, the entries of lists: the columns to read, and the card built from a row."""

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
"""Pieces that can be bought now; zero for a product without a stock row."""
CARD_COLUMNS = (
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
"""The columns of a card; :func:`join_card_tables` joins their tables."""

AnyRow = Row[*tuple[Any, ...]]
AnySelect = Select[*tuple[Any, ...]]


def join_card_tables(statement: AnySelect) -> AnySelect:
    """Join the tables of a card's columns to a statement that selects from products."""
    return statement.join(Category, Category.id == Product.category_id).outerjoin(
        StockItem, StockItem.product_id == Product.id
    )


def by_ids(session: Session, ids: Sequence[int]) -> list[ProductCard]:
    """Return the cards of the products on sale, in the order of the ids; one query."""
    if not ids:
        return []
    rows = session.execute(join_card_tables(select(*CARD_COLUMNS)).where(Product.id.in_(ids), OFFERED))
    card_by_id = {row.id: build_card(row) for row in rows}
    return [card_by_id[number] for number in ids if number in card_by_id]


def build_card(row: AnyRow) -> ProductCard:
    """Build a card from a row with :data:`CARD_COLUMNS`."""
    return ProductCard(**card_fields(row))


def card_fields(row: AnyRow) -> dict[str, Any]:
    """Return a card's fields from a row with :data:`CARD_COLUMNS`."""
    return {
        "slug": row.slug,
        "title": row.title,
        "brand": row.brand,
        "price": money_schema(row.price_amount, row.currency),
        "rating": float(row.rating),
        "rating_count": row.rating_count,
        "picture": picture_url(row.picture, row.slug),
        "in_stock": row.in_stock,
        "url": product_url(row.slug),
    }


def money_schema(amount: int, currency: str) -> MoneySchema:
    """Return an amount in minor units as the API's money object."""
    return MoneySchema(**Money(amount, currency).to_json())


def product_url(slug: str) -> str:
    """Return the path of a product's page."""
    return f"/p/{slug}"


def category_url(slug: str) -> str:
    """Return the path of a category's page."""
    return f"/c/{slug}"
