"""Filters that narrow a list of products, as one SQL condition for each facet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, true

from shop.catalog.cards import AVAILABLE
from shop.catalog.models import MAX_PRICE, Product

PRICE, RATING, BRAND, IN_STOCK = "price", "rating", "brand", "in_stock"


@dataclass(frozen=True, slots=True)
class ListFilters:
    """The chosen filters; none by default. Prices are in minor units, both ends included."""

    min_price: int | None = None
    max_price: int | None = None
    min_rating: int | None = None
    brands: tuple[str, ...] = ()
    in_stock: bool = False

    def __bool__(self) -> bool:
        return self != ListFilters()

    def normalised(self) -> "ListFilters":
        """Return the filters in one canonical form: each brand once, sorted, and no price that every product meets."""
        return replace(
            self,
            min_price=None if self.min_price is not None and self.min_price <= 1 else self.min_price,
            max_price=None if self.max_price is not None and self.max_price >= MAX_PRICE else self.max_price,
            brands=tuple(dict.fromkeys(sorted(self.brands))),
        )

    def conditions(self) -> Mapping[str, ColumnElement[bool]]:
        """Return one condition for each facet; a facet without a filter is always true."""
        price: ColumnElement[bool] = true()
        if self.min_price is not None:
            price &= Product.price_amount >= self.min_price
        if self.max_price is not None:
            price &= Product.price_amount <= self.max_price
        return {
            PRICE: price,
            RATING: true() if self.min_rating is None else Product.rating >= self.min_rating,
            BRAND: Product.brand.in_(self.brands) if self.brands else true(),
            IN_STOCK: AVAILABLE > 0 if self.in_stock else true(),
        }
