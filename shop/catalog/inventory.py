"""The inventory: products with their stock and reserved pieces, for administrators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from shop.catalog import cards, products
from shop.catalog.cards import AVAILABLE, AnyRow, AnySelect, join_card_tables
from shop.catalog.listing import cursors, search
from shop.catalog.listing.cursors import PageCursor, integer_up_to
from shop.catalog.listing.sorting import MAX_INTEGER
from shop.catalog.models import OFFERED, Category, Product, StockItem
from shop.catalog.pictures.drawing import picture_url
from shop.catalog.schemas import CategoryRef, ProductRecord
from shop.money import Money

ROWS_A_PAGE = 50
POPULAR, LOW = "popular", "low"
ALL, WITHDRAWN = "", "withdrawn"
"""With :data:`LOW`, the values of the stock filter."""


@dataclass(frozen=True, slots=True)
class StockedProduct:
    """One product with its stock."""

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
        """Return the number of pieces that can be sold."""
        return self.on_hand - self.reserved

    @property
    def is_withdrawn(self) -> bool:
        """Tell whether the product is no longer sold."""
        return self.withdrawn_at is not None

    @property
    def public_fields(self) -> tuple[object, ...]:
        """Return the fields that public responses show; of the stock, only whether a piece is available."""
        return self.slug, self.title, self.description, self.price, self.available > 0, self.is_withdrawn

    @property
    def record(self) -> ProductRecord:
        """Return the product in the form of the admin API."""
        return ProductRecord(
            slug=self.slug,
            title=self.title,
            brand=self.brand,
            category=CategoryRef(
                slug=self.category_slug, name=self.category, url=cards.category_url(self.category_slug)
            ),
            description=self.description,
            price=cards.money_schema(self.price.amount, self.price.currency),
            on_hand=self.on_hand,
            withdrawn=self.is_withdrawn,
            picture=picture_url(self.motif, self.slug),
            url=cards.product_url(self.slug),
            created_at=self.created_at,
        )


@dataclass(frozen=True, slots=True)
class InventoryPage:
    """A page of products, and the cursor of the next page."""

    rows: Sequence[StockedProduct]
    next_cursor: str | None


def find(session: Session, slug: str) -> StockedProduct:
    """Return one product, on sale or withdrawn.

    Raises:
        NotFound, ProductRenamed: no product has this slug now.
    """
    row = session.execute(_select_products().where(Product.slug == slug)).one_or_none()
    if row is None:
        raise products.not_found_error(session, slug)
    return _to_product(row)


def find_page(session: Session, words: str, cursor: str | None, stock_filter: str = ALL) -> InventoryPage:
    """Return a page of products; one query.

    Args:
        session: executes the query.
        words: of the title or brand, or the slug; all products if empty. A search includes withdrawn products.
        cursor: the start of the page; ``None`` for the first page.
        stock_filter: :data:`ALL` products on sale, the most popular first; :data:`LOW`, products on sale, the fewest
            available pieces first; :data:`WITHDRAWN` products.

    Raises:
        InvalidFields: the cursor does not belong to this list.
    """
    low = stock_filter == LOW
    key = AVAILABLE if low else Product.popularity.expression
    statement = _select_products().add_columns(key.label("key"))
    if stock_filter == WITHDRAWN:
        statement = statement.where(Product.withdrawn_at.is_not(None))
    elif low or not words:
        statement = statement.where(OFFERED)
    if words:
        statement = statement.where(or_(Product.search.bool_op("@@")(search.text_query(words)), Product.slug == words))
    if cursor is not None:
        position = cursors.decode(cursor, LOW if low else POPULAR, integer_up_to(MAX_INTEGER))
        later_key = key > position.key if low else key < position.key
        statement = statement.where(or_(later_key, (key == position.key) & (Product.id > position.id)))
    order = key.asc() if low else key.desc()
    rows = session.execute(statement.order_by(order, Product.id).limit(ROWS_A_PAGE + 1)).all()
    shown = rows[:ROWS_A_PAGE]
    last = shown[-1] if len(rows) > ROWS_A_PAGE else None
    next_cursor = cursors.encode(PageCursor(LOW if low else POPULAR, last.key, last.id)) if last is not None else None
    return InventoryPage([_to_product(row) for row in shown], next_cursor)


def _select_products() -> AnySelect:
    return join_card_tables(
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


def _to_product(row: AnyRow) -> StockedProduct:
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
