"""Products as an administrator sees them: with what is on the shelf and what of it is promised."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from shop.catalog import cards, products
from shop.catalog.cards import AVAILABLE, AnyRow, AnySelect, joined
from shop.catalog.listing import cursors, search
from shop.catalog.listing.cursors import PageCursor, whole
from shop.catalog.listing.sorting import MAX_INTEGER
from shop.catalog.models import OFFERED, Category, Product, StockItem
from shop.catalog.pictures.drawing import picture_url
from shop.catalog.schemas import CategoryRef, ProductRecord
from shop.money import Money

ROWS_A_PAGE = 50
POPULAR, LOW = "popular", "low"
ALL, GONE = "", "withdrawn"
"""Beside :data:`LOW`, what the list of products can show."""


@dataclass(frozen=True, slots=True)
class StockedProduct:
    """One product."""

    id: int
    slug: str
    title: str
    brand: str
    description: str
    category: str
    category_id: int
    category_slug: str
    motif: str
    price: Money
    on_hand: int
    reserved: int
    created_at: datetime
    withdrawn_at: datetime | None

    @property
    def available(self) -> int:
        """Return the pieces that can be sold."""
        return self.on_hand - self.reserved

    @property
    def is_withdrawn(self) -> bool:
        """Tell whether it is no longer sold."""
        return self.withdrawn_at is not None

    @property
    def shown(self) -> tuple[object, ...]:
        """Return all that answers for everybody tell of it; of the stock, only whether there is any."""
        return self.slug, self.title, self.description, self.price, self.available > 0, self.is_withdrawn

    @property
    def record(self) -> ProductRecord:
        """Return it as the administration's API shows it."""
        return ProductRecord(
            slug=self.slug,
            title=self.title,
            brand=self.brand,
            category=CategoryRef(
                slug=self.category_slug, name=self.category, url=cards.category_url(self.category_slug)
            ),
            description=self.description,
            price=cards.price(self.price.amount, self.price.currency),
            on_hand=self.on_hand,
            withdrawn=self.is_withdrawn,
            picture=picture_url(self.motif, self.slug),
            url=cards.product_url(self.slug),
            created_at=self.created_at,
        )


@dataclass(frozen=True, slots=True)
class InventoryPage:
    """A page of products, and where the next one begins."""

    rows: Sequence[StockedProduct]
    next_cursor: str | None


def find(session: Session, slug: str) -> StockedProduct:
    """Return one product, withdrawn or not.

    Raises:
        NotFound: there is no such product; ProductRenamed: it has another slug by now.
    """
    row = session.execute(_rows().where(Product.slug == slug)).one_or_none()
    if row is None:
        raise products.not_found_error(session, slug)
    return _row(row)


def page(session: Session, find: str, cursor: str | None, which: str = ALL) -> InventoryPage:
    """Return a page of products; one query.

    Args:
        session: reads.
        find: words of the title or brand, or the slug; everything if empty. What is withdrawn is found, too.
        cursor: where the page begins.
        which: :data:`ALL` that is sold, the most popular first; :data:`LOW`, the fewest pieces to sell first;
            :data:`GONE`, what is withdrawn.

    Raises:
        InvalidFields: the cursor is not one of this list.
    """
    low = which == LOW
    key = AVAILABLE if low else Product.popularity.expression
    statement = _rows().add_columns(key.label("key"))
    if which == GONE:
        statement = statement.where(Product.withdrawn_at.is_not(None))
    elif low or not find:
        statement = statement.where(OFFERED)
    if find:
        statement = statement.where(or_(Product.search.bool_op("@@")(search.query(find)), Product.slug == find))
    if cursor is not None:
        place = cursors.decode(cursor, LOW if low else POPULAR, whole(MAX_INTEGER))
        past = key > place.key if low else key < place.key
        statement = statement.where(or_(past, (key == place.key) & (Product.id > place.id)))
    order = key.asc() if low else key.desc()
    rows = session.execute(statement.order_by(order, Product.id).limit(ROWS_A_PAGE + 1)).all()
    shown = rows[:ROWS_A_PAGE]
    last = shown[-1] if len(rows) > ROWS_A_PAGE else None
    next_cursor = cursors.encode(PageCursor(LOW if low else POPULAR, last.key, last.id)) if last is not None else None
    return InventoryPage([_row(row) for row in shown], next_cursor)


def _rows() -> AnySelect:
    return joined(
        select(
            Product.id,
            Product.slug,
            Product.title,
            Product.brand,
            Product.description,
            Product.price_amount,
            Product.currency,
            Product.category_id,
            Product.created_at,
            Product.withdrawn_at,
            Category.name.label("category"),
            Category.slug.label("category_slug"),
            Category.picture.label("motif"),
            func.coalesce(StockItem.on_hand, 0).label("on_hand"),
            func.coalesce(StockItem.reserved, 0).label("reserved"),
        )
    )


def _row(row: AnyRow) -> StockedProduct:
    return StockedProduct(
        id=row.id,
        slug=row.slug,
        title=row.title,
        brand=row.brand,
        description=row.description,
        category=row.category,
        category_id=row.category_id,
        category_slug=row.category_slug,
        motif=row.motif,
        price=Money(row.price_amount, row.currency),
        on_hand=row.on_hand,
        reserved=row.reserved,
        created_at=row.created_at,
        withdrawn_at=row.withdrawn_at,
    )
