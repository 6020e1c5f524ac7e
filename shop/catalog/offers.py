"""Product offers: the fields of a product that a cart and a checkout need."""

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
    """A product with its current price and stock."""

    product_id: int
    slug: str
    title: str
    picture: str
    unit_price: Money
    available: int
    """Pieces that are neither sold nor reserved by a checkout; zero for a withdrawn product."""
    withdrawn: bool = False
    """True if the product is no longer sold; carts and orders may still contain it."""


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
    """Return one product's offer by its current or a former slug: an old page may still be open in a browser.

    Raises:
        NotFound: no product has or had this slug.
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


def total(session: Session, quantities: Select[int, int]) -> tuple[int, Money]:
    """Return the number of pieces that a statement selects, and their current price; one query.

    Args:
        session: of the caller's transaction.
        quantities: selects product ids and quantities, in that order.
    """
    lines = quantities.subquery()
    product_id, quantity = lines.columns
    # 64 bits: 22 pieces at the highest price are more cents than an integer of 32 bits can hold.
    cost = cast(quantity, BigInteger) * Product.price_amount
    row = session.execute(
        select(
            func.coalesce(func.sum(quantity), 0).label("pieces"),
            func.coalesce(func.sum(cost), 0).label("amount"),
        ).join_from(lines, Product, Product.id == product_id)
    ).one()
    return int(row.pieces), Money(int(row.amount))
