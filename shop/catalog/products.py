"""Queries of one product and its parts; one query for each part."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from shop.catalog import cards
from shop.catalog.cards import AVAILABLE, CARD_COLUMNS, AnyRow, join_card_tables
from shop.catalog.listing import cursors
from shop.catalog.listing.cursors import PageCursor, integer_up_to
from shop.catalog.listing.sorting import END_OF_TIME, EPOCH, MICROSECOND
from shop.catalog.models import Category, FormerSlug, StockItem
from shop.catalog.models import Product as ProductRow
from shop.catalog.models import Review as ReviewRow
from shop.catalog.schemas import (
    CategoryRef,
    ProductDetail,
    RatingSummary,
    ReviewDetail,
    ReviewPage,
    StarCount,
    StockLevel,
)
from shop.errors import NotFound, ProductRenamed, ProductWithdrawn, ShopError

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class ProductWithIds:
    """A product with the ids that its other parts need."""

    id: int
    category_id: int
    product: ProductDetail


def find(session: Session, slug: str) -> ProductWithIds:
    """Read one product.

    Raises:
        NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
    """
    detail_columns = (
        ProductRow.description,
        ProductRow.created_at,
        ProductRow.category_id,
        ProductRow.withdrawn_at,
        Category.slug.label("category_slug"),
        Category.name.label("category_name"),
    )
    row = _require_on_sale(
        session.execute(join_card_tables(select(*CARD_COLUMNS, *detail_columns)).where(_has_slug(slug))).one_or_none(),
        slug,
    )
    category = CategoryRef(slug=row.category_slug, name=row.category_name, url=cards.category_url(row.category_slug))
    product = ProductDetail(
        **cards.card_fields(row), description=row.description, created_at=row.created_at, category=category
    )
    return ProductWithIds(row.id, row.category_id, product)


def find_id(session: Session, slug: str) -> int:
    """Return a product's id.

    Raises:
        NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
    """
    statement = select(ProductRow.id, ProductRow.slug, ProductRow.withdrawn_at).where(_has_slug(slug))
    return int(_require_on_sale(session.execute(statement).one_or_none(), slug).id)


def not_found_error(session: Session, slug: str) -> ShopError:
    """Return the error for a slug that no product has: the product was renamed, or there is no such product."""
    current = session.scalar(select(ProductRow.slug).where(_has_slug(slug)))
    return NotFound("There is no such product.") if current is None else ProductRenamed(current)


def _has_slug(slug: str) -> ColumnElement[bool]:
    """Return the condition of the product with this current or former slug; one statement looks up both."""
    former = select(FormerSlug.product_id).where(FormerSlug.slug == slug).scalar_subquery()
    return or_(ProductRow.slug == slug, ProductRow.id == former)


def _require_on_sale(row: AnyRow | None, slug: str) -> AnyRow:
    """Return the row if its product is on sale under the slug.

    Raises:
        NotFound: there is no row.
        ProductRenamed: the product has another slug now.
        ProductWithdrawn: the product is no longer sold.
    """
    if row is None:
        raise NotFound("There is no such product.")
    if row.slug != slug:
        raise ProductRenamed(row.slug)
    if row.withdrawn_at is not None:
        raise ProductWithdrawn("This product is no longer sold.")
    return row


def stock(session: Session, slug: str) -> StockLevel:
    """Return the number of pieces that can be bought now.

    Raises:
        NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
    """
    columns = (AVAILABLE.label("available"), ProductRow.slug, ProductRow.withdrawn_at)
    statement = select(*columns).select_from(ProductRow).outerjoin(StockItem).where(_has_slug(slug))
    available = _require_on_sale(session.execute(statement).one_or_none(), slug).available
    return StockLevel(slug=slug, available=available)


def rating(session: Session, product_id: int) -> RatingSummary:
    """Return the average, the number and the histogram of a product's ratings."""
    rows = session.execute(
        select(ReviewRow.rating, func.count()).where(ReviewRow.product_id == product_id).group_by(ReviewRow.rating)
    )
    counts = dict(rows.all())
    total = sum(counts.values())
    return RatingSummary(
        average=round(sum(stars * n for stars, n in counts.items()) / total, 2) if total else 0.0,
        count=total,
        histogram=[StarCount(stars=stars, count=counts.get(stars, 0)) for stars in range(5, 0, -1)],
    )


def reviews(session: Session, product_id: int, limit: int, cursor: str | None = None) -> ReviewPage:
    """Return a page of a product's reviews, latest first.

    Raises:
        InvalidFields: the cursor does not belong to this list.
    """
    statement = select(ReviewRow).where(ReviewRow.product_id == product_id)
    if cursor is not None:
        position = cursors.decode(cursor, LATEST, integer_up_to(END_OF_TIME))
        created_at = EPOCH + int(position.key) * MICROSECOND
        statement = statement.where(func.row(ReviewRow.created_at, ReviewRow.id) < func.row(created_at, position.id))
    latest = statement.order_by(ReviewRow.created_at.desc(), ReviewRow.id.desc()).limit(limit + 1)
    rows = session.scalars(latest).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return ReviewPage(
        items=[
            ReviewDetail(author=row.author, rating=row.rating, body=row.body, created_at=row.created_at)
            for row in rows[:limit]
        ],
        next_cursor=last and cursors.encode(PageCursor(LATEST, (last.created_at - EPOCH) // MICROSECOND, last.id)),
    )
