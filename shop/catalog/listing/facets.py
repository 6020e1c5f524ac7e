"""Facet counts of a list: how many products each further filter would leave, counted in one pass.

Each facet counts under all filters but its own: with "4 stars and up" chosen, the other ratings still show their
counts. Counting reads every product of the list, so it is bounded. In a longer list only the most popular products are
counted, and the response says that the counts are lower bounds.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, literal, literal_column, or_, select, union_all
from sqlalchemy.orm import Session

from shop.catalog.cards import AVAILABLE, AnySelect
from shop.catalog.listing.filters import BRAND, IN_STOCK, PRICE, RATING, ListFilters
from shop.catalog.models import Product, StockItem
from shop.catalog.schemas import BrandFacet, ListFacets, PriceBand, RatingFacet

DEPTH = 20_000
"""The most products that are counted: about 0.1 s of reading."""
BAND_STARTS = (1_000, 2_500, 5_000, 10_000, 25_000)
"""The starts of the price bands in minor units; the first band starts at zero."""
RATINGS = (4, 3, 2, 1)
BRANDS = 12
TOTAL, COUNTED = "total", "counted"


def has_band_prices(filters: ListFilters) -> bool:
    """Tell whether the chosen prices are those of the price bands that a list offers."""
    ends = (start - 1 for start in BAND_STARTS)
    return filters.min_price in (None, *BAND_STARTS) and filters.max_price in (None, *ends)


def count_facets(
    session: Session, products: AnySelect, filters: ListFilters, depth: int = DEPTH
) -> tuple[ListFacets, int]:
    """Count a list's facets; one query.

    Args:
        session: executes the query.
        products: selects the ids of the list before any filter, the most popular first.
        filters: the chosen filters.
        depth: the most products that are counted.

    Returns:
        The facets, and the number of products before any filter, at most ``depth`` + 1.
    """
    listed = products.limit(depth + 1).subquery("listed")
    flags = filters.conditions()
    band_starts: ColumnElement[Any] = literal_column(f"ARRAY[{', '.join(map(str, BAND_STARTS))}]")
    base = (
        select(
            func.width_bucket(Product.price_amount, band_starts).label("band"),
            func.floor(Product.rating).label("stars"),
            Product.brand,
            (AVAILABLE > 0).label("available"),
            *(condition.label(f"by_{name}") for name, condition in flags.items()),
        )
        .join(listed, listed.c.id == Product.id)
        .outerjoin(StockItem, StockItem.product_id == Product.id)
        .cte("base")
    )

    def conditions(*without: str) -> list[ColumnElement[bool]]:
        return [base.c[f"by_{name}"] for name in flags if name not in without]

    brands = _count_by(BRAND, base.c.brand, conditions(BRAND)).subquery("brands")
    top_brands = select(brands).order_by(brands.c.n.desc(), brands.c.value).limit(BRANDS)
    parts = [
        _count_by(PRICE, base.c.band, conditions(PRICE)),
        _count_by(RATING, base.c.stars, conditions(RATING)),
        select(top_brands.subquery("best")),
        _count_by(IN_STOCK, literal(""), [*conditions(IN_STOCK), base.c.available]),
        _count_by(TOTAL, literal(""), conditions()),
        _count_by(COUNTED, literal(""), [or_(*conditions(), literal(True))]),
    ]
    if filters.brands:
        parts.append(select(brands).where(brands.c.value.in_(filters.brands)))
    return build_facets(session.execute(union_all(*parts)).all(), filters, depth)


def build_facets(rows: Sequence[tuple[str, str, int]], filters: ListFilters, depth: int) -> tuple[ListFacets, int]:
    """Build the facets from rows of facet, value and count; return them and the number of counted products."""
    counts = {(facet, value): n for facet, value, n in rows}

    def count_of(facet: str, value: object = "") -> int:
        return counts.get((facet, str(value)), 0)

    starts = (0, *BAND_STARTS)
    ends = (*(start - 1 for start in BAND_STARTS), None)
    brands = sorted(((value, n) for (facet, value), n in counts.items() if facet == BRAND), key=lambda b: (-b[1], b[0]))
    missing = [(brand, 0) for brand in dict.fromkeys(filters.brands) if (BRAND, brand) not in counts]
    counted = ListFacets(
        total=min(count_of(TOTAL), depth),  # the product beyond the depth only shows that there are more
        exact=count_of(COUNTED) <= depth,
        price=[
            PriceBand(min=start, max=end, count=count_of(PRICE, number))
            for number, (start, end) in enumerate(zip(starts, ends, strict=True))
        ],
        rating=[RatingFacet(min=low, count=sum(count_of(RATING, n) for n in range(low, 6))) for low in RATINGS],
        brand=[BrandFacet(brand=brand, count=n) for brand, n in [*brands, *missing]],
        in_stock=count_of(IN_STOCK),
    )
    return counted, count_of(COUNTED)


def _count_by(facet: str, value: ColumnElement[Any], conditions: Sequence[ColumnElement[bool]]) -> AnySelect:
    grouped = cast(value, Text).label("value")
    return (
        select(literal(facet, Text).label("facet"), grouped, func.count().label("n"))
        .where(*conditions)
        .group_by(literal_column("2"))
    )
