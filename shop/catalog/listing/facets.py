"""What narrowing a list further would leave, counted in one pass.

Each facet counts under all filters but its own: with "4 stars and up" chosen, the other ratings still say how many
they would show. Counting reads every product of the list, so it is bounded: of a longer list the most popular are
counted, and the answer says that its counts are lower bounds.
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
"""Products counted at most: about 0.1 s of reading."""
BAND_STARTS = (1_000, 2_500, 5_000, 10_000, 25_000)
"""Where price bands begin, in minor units, after the one that begins at nothing."""
RATINGS = (4, 3, 2, 1)
BRANDS = 12
TOTAL, COUNTED = "total", "counted"


def is_offered(filters: ListFilters) -> bool:
    """Tell whether the prices asked for are those of the bands that a list offers."""
    ends = (start - 1 for start in BAND_STARTS)
    return filters.min_price in (None, *BAND_STARTS) and filters.max_price in (None, *ends)


def count(session: Session, products: AnySelect, filters: ListFilters, depth: int = DEPTH) -> tuple[ListFacets, int]:
    """Count a list's facets, and how many products there are before any filter, up to one beyond ``depth``; one query.

    Args:
        session: reads.
        products: selects the ids of the list before any filter, the most popular first.
        filters: what the shopper chose.
        depth: products counted at most.
    """
    listed = products.limit(depth + 1).subquery("listed")
    flags = filters.conditions()
    base = (
        select(
            func.width_bucket(Product.price_amount, _starts()).label("band"),
            func.floor(Product.rating).label("stars"),
            Product.brand,
            (AVAILABLE > 0).label("available"),
            *(condition.label(f"by_{name}") for name, condition in flags.items()),
        )
        .join(listed, listed.c.id == Product.id)
        .outerjoin(StockItem, StockItem.product_id == Product.id)
        .cte("base")
    )

    def under(*without: str) -> list[ColumnElement[bool]]:
        return [base.c[f"by_{name}"] for name in flags if name not in without]

    brands = _counts(BRAND, base.c.brand, under(BRAND)).subquery("brands")
    best = select(brands).order_by(brands.c.n.desc(), brands.c.value).limit(BRANDS)
    parts = [
        _counts(PRICE, base.c.band, under(PRICE)),
        _counts(RATING, base.c.stars, under(RATING)),
        select(best.subquery("best")),
        _counts(IN_STOCK, literal(""), [*under(IN_STOCK), base.c.available]),
        _counts(TOTAL, literal(""), under()),
        _counts(COUNTED, literal(""), [or_(*under(), literal(True))]),
    ]
    if filters.brands:
        parts.append(select(brands).where(brands.c.value.in_(filters.brands)))
    return assemble(session.execute(union_all(*parts)).all(), filters, depth)


def assemble(rows: Sequence[tuple[str, str, int]], filters: ListFilters, depth: int) -> tuple[ListFacets, int]:
    """Make the facets of counted rows: facet, value, how many; and say how many were counted."""
    counts = {(facet, value): n for facet, value, n in rows}

    def of(facet: str, value: object = "") -> int:
        return counts.get((facet, str(value)), 0)

    starts = (0, *BAND_STARTS)
    ends = (*(start - 1 for start in BAND_STARTS), None)
    brands = sorted(((value, n) for (facet, value), n in counts.items() if facet == BRAND), key=lambda b: (-b[1], b[0]))
    missing = [(brand, 0) for brand in dict.fromkeys(filters.brands) if (BRAND, brand) not in counts]
    found = ListFacets(
        total=min(of(TOTAL), depth),  # the one beyond tells only that there are more
        exact=of(COUNTED) <= depth,
        price=[
            PriceBand(min=start, max=end, count=of(PRICE, number))
            for number, (start, end) in enumerate(zip(starts, ends, strict=True))
        ],
        rating=[RatingFacet(min=least, count=sum(of(RATING, stars) for stars in range(least, 6))) for least in RATINGS],
        brand=[BrandFacet(brand=brand, count=n) for brand, n in [*brands, *missing]],
        in_stock=of(IN_STOCK),
    )
    return found, of(COUNTED)


def _counts(facet: str, value: ColumnElement[Any], conditions: Sequence[ColumnElement[bool]]) -> AnySelect:
    grouped = cast(value, Text).label("value")
    return (
        select(literal(facet, Text).label("facet"), grouped, func.count().label("n"))
        .where(*conditions)
        .group_by(literal_column("2"))
    )


def _starts() -> ColumnElement[Any]:
    return literal_column(f"ARRAY[{', '.join(map(str, BAND_STARTS))}]")
