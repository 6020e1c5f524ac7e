"""What a cart and a checkout need to know of a product, and nothing else."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, Select, any_, bindparam, cast, func, select
from sqlalchemy.orm import Session

from shop.catalog.cards import AVAILABLE, AnyRow
from shop.catalog.models import Category, FormerSlug, Product, StockItem
from shop.catalog.pictures.drawing import picture_url
from shop.errors import NotFound
from shop.money import Money


@dataclass(frozen=True, slots=True)
class ProductOffer:
    """A product as it can be bought at this moment."""

    product_id: int
    slug: str
    title: str
    picture: str
    unit_price: Money
    available: int
    """Pieces neither sold nor promised to a checkout under way; none of what is withdrawn."""
    withdrawn: bool = False
    """Whether it is no longer sold: a cart and an order may still hold it."""


_OFFERS = (
    select(
        Product.id,
        Product.slug,
        Product.title,
        Product.price_amount,
        Product.currency,
        Category.picture,
        AVAILABLE.label("available"),
        Product.withdrawn_at,
    )
    .join(Category, Category.id == Product.category_id)
    .outerjoin(StockItem, StockItem.product_id == Product.id)
)
_BY_IDS = _OFFERS.where(Product.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
_BY_SLUG = _OFFERS.where(Product.slug == bindparam("slug"))
_BY_FORMER_SLUG = _OFFERS.where(
    Product.id == select(FormerSlug.product_id).where(FormerSlug.slug == bindparam("slug")).scalar_subquery()
)


def by_ids(session: Session, ids: Collection[int]) -> dict[int, ProductOffer]:
    """Return the offers of the products that exist, by product id; one query."""
    if not ids:
        return {}
    rows = session.execute(_BY_IDS, {"ids": list(ids)})
    return {row.id: _offer(row) for row in rows}


def by_slug(session: Session, slug: str) -> ProductOffer:
    """Return one product's offer, by its slug or one it had: a page from before may still be open somewhere.

    Raises:
        NotFound: there is no such product.
    """
    row = session.execute(_BY_SLUG, {"slug": slug}).one_or_none()
    if row is None:
        row = session.execute(_BY_FORMER_SLUG, {"slug": slug}).one_or_none()
    if row is None:
        raise NotFound("There is no such product.")
    return _offer(row)


def _offer(row: AnyRow) -> ProductOffer:
    return ProductOffer(
        product_id=row.id,
        slug=row.slug,
        title=row.title,
        picture=picture_url(row.picture, row.slug),
        unit_price=Money(row.price_amount, row.currency),
        available=0 if row.withdrawn_at else row.available,
        withdrawn=row.withdrawn_at is not None,
    )


def total(session: Session, wanted: Select[int, int]) -> tuple[int, Money]:
    """Return how many pieces a statement asks for and what they cost now; one query.

    Args:
        session: the caller's.
        wanted: selects product ids and quantities, in that order.
    """
    lines = wanted.subquery()
    product_id, quantity = lines.columns
    # Widened first: 22 pieces at the highest price are more cents than 32 bits hold.
    cost = cast(quantity, BigInteger) * Product.price_amount
    row = session.execute(
        select(
            func.coalesce(func.sum(quantity), 0).label("pieces"),
            func.coalesce(func.sum(cost), 0).label("amount"),
        ).join_from(lines, Product, Product.id == product_id)
    ).one()
    return int(row.pieces), Money(int(row.amount))
