"""One product and what belongs to it, each part one query."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from shop.catalog import cards
from shop.catalog.cards import AVAILABLE, COLUMNS, AnyRow, joined
from shop.catalog.listing import cursors
from shop.catalog.listing.cursors import PageCursor, whole
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
class FoundProduct:
    """A product with the numbers that lead to its other parts."""

    id: int
    category_id: int
    product: ProductDetail


def find(session: Session, slug: str) -> FoundProduct:
    """Read one product.

    Raises:
        NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
    """
    more = (
        ProductRow.description,
        ProductRow.created_at,
        ProductRow.category_id,
        ProductRow.withdrawn_at,
        Category.slug.label("category_slug"),
        Category.name.label("category_name"),
    )
    row = _sold(session.execute(joined(select(*COLUMNS, *more)).where(_had(slug))).one_or_none(), slug)
    category = CategoryRef(slug=row.category_slug, name=row.category_name, url=cards.category_url(row.category_slug))
    product = ProductDetail(
        **cards.fields(row), description=row.description, created_at=row.created_at, category=category
    )
    return FoundProduct(row.id, row.category_id, product)


def find_id(session: Session, slug: str) -> int:
    """Return a product's number.

    Raises:
        NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
    """
    statement = select(ProductRow.id, ProductRow.slug, ProductRow.withdrawn_at).where(_had(slug))
    return int(_sold(session.execute(statement).one_or_none(), slug).id)


def not_found_error(session: Session, slug: str) -> ShopError:
    """Return why no product has a slug: it has another one by now, or there never was one."""
    now = session.scalar(select(ProductRow.slug).where(_had(slug)))
    return NotFound("There is no such product.") if now is None else ProductRenamed(now)


def _had(slug: str) -> ColumnElement[bool]:
    """Return the condition of the one product that has a slug or had it: both are looked up in one statement."""
    former = select(FormerSlug.product_id).where(FormerSlug.slug == slug).scalar_subquery()
    return or_(ProductRow.slug == slug, ProductRow.id == former)


def _sold(row: AnyRow | None, slug: str) -> AnyRow:
    """Return the row a slug led to, if the product is sold under it.

    Raises:
        NotFound: there is none.
        ProductRenamed: the product has another slug by now.
        ProductWithdrawn: it is no longer sold.
    """
    if row is None:
        raise NotFound("There is no such product.")
    if row.slug != slug:
        raise ProductRenamed(row.slug)
    if row.withdrawn_at is not None:
        raise ProductWithdrawn("This product is no longer sold.")
    return row


def stock(session: Session, slug: str) -> StockLevel:
    """Return what can be bought at this moment.

    Raises:
        NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
    """
    columns = (AVAILABLE.label("available"), ProductRow.slug, ProductRow.withdrawn_at)
    statement = select(*columns).select_from(ProductRow).outerjoin(StockItem).where(_had(slug))
    available = _sold(session.execute(statement).one_or_none(), slug).available
    return StockLevel(slug=slug, available=available)


def rating(session: Session, product_id: int) -> RatingSummary:
    """Sum up all of a product's ratings from its reviews."""
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
        InvalidFields: the cursor is not one of this list.
    """
    statement = select(ReviewRow).where(ReviewRow.product_id == product_id)
    if cursor is not None:
        place = cursors.decode(cursor, LATEST, whole(END_OF_TIME))
        moment = EPOCH + int(place.key) * MICROSECOND
        statement = statement.where(func.row(ReviewRow.created_at, ReviewRow.id) < func.row(moment, place.id))
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
