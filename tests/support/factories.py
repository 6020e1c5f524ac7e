"""Adds rows for tests, with default values for all fields that a test does not set."""

import itertools
from typing import TypeVar

from sqlalchemy.orm import Session

from shop.accounts.models import User
from shop.catalog.models import Category, Product, StockItem

T = TypeVar("T")
_numbers = itertools.count(1)


def make_category(session: Session, slug: str = "mugs", parent: Category | None = None, **fields: object) -> Category:
    """Add a category."""
    values = {
        "slug": slug,
        "name": slug.replace("-", " ").title(),
        "parent_id": parent.id if parent else None,
        **fields,
    }
    return _add(session, Category(**values))


def make_product(
    session: Session, category: Category, slug: str | None = None, *, on_hand: int = 10, **fields: object
) -> Product:
    """Add a product with its stock."""
    slug = slug or f"product-{next(_numbers)}"
    values = {
        "slug": slug,
        "title": slug.replace("-", " ").title(),
        "brand": "Northwind",
        "description": "A thing for tests.",
        "price_amount": 1299,
        "category_id": category.id,
        **fields,
    }
    product = _add(session, Product(**values))
    _add(session, StockItem(product_id=product.id, on_hand=on_hand, received=on_hand))
    return product


def make_user(session: Session, email: str | None = None, **fields: object) -> User:
    """Add an account; without a password hash it cannot log in."""
    email = email or f"user{next(_numbers)}@shop.test"
    return _add(session, User(**{"email": email, "name": email.split("@")[0], **fields}))


def _add(session: Session, row: T) -> T:
    session.add(row)
    session.flush()
    return row
