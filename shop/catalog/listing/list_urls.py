"""A list's page address and what it asks for, both ways.

People bend addresses, and forms send empty fields: whatever in an address makes no sense is left out, and the page
shows the rest. The API, which programs call, refuses it instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from pydantic import ValidationError

from shop.catalog.listing.filters import ListFilters
from shop.catalog.listing.product_lister import ListQuery
from shop.catalog.requests import ProductsQuery
from shop.errors import InvalidFields
from shop.money import Money

PRICE = "price"
"""The price filter as one field, ``1000-2499`` in minor units: a radio button has one value."""
FIELDS = ("q", "min_price", "max_price", "min_rating", "in_stock", "brand", "sort", "cursor")
Arguments = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class ChosenFilter:
    """A filter in force, in words, and the address without it."""

    words: str
    url: str


def parse(arguments: Arguments, category: str | None = None) -> ListQuery:
    """Return what an address asks for.

    Args:
        arguments: name to values, as in the query string.
        category: slug of the category whose page it is.
    """
    given: dict[str, object] = {name: arguments[name][0] for name in FIELDS if arguments.get(name)}
    if "brand" in given:
        given["brand"] = [brand for brand in arguments["brand"] if brand]
    if arguments.get(PRICE):
        low, _, high = arguments[PRICE][0].partition("-")
        given |= {"min_price": low, "max_price": high}
    browse = replace(_usable(given).to_list_query(), category=category)
    try:
        _ = browse.cursor_position
    except InvalidFields:
        return replace(browse, sort=None, cursor=None)
    return browse


def build_url(path: str, browse: ListQuery) -> str:
    """Return the address of a list's page."""
    filters = browse.filters
    fields: list[tuple[str, object]] = [
        ("q", browse.q),
        (PRICE, price_value(filters.min_price, filters.max_price)),
        ("min_rating", filters.min_rating),
        *(("brand", brand) for brand in filters.brands),
        ("in_stock", "true" if filters.in_stock else None),
        ("sort", browse.sort),
        ("cursor", browse.cursor),
    ]
    query = urlencode([(name, value) for name, value in fields if value not in (None, "")])
    return f"{path}?{query}" if query else path


def price_value(low: int | None, high: int | None) -> str | None:
    """Write a span of prices as one value; ``None`` for all prices."""
    if low is None and high is None:
        return None
    return f"{low or 0}-{'' if high is None else high}"


def price_words(low: int | None, high: int | None) -> str:
    """Write a span of prices as people say it; a band's last cent is the next one's beginning."""
    upper = None if high is None else Money(high + 1 if high % 100 == 99 else high)
    if upper is None:
        return f"{_short(Money(low or 0))} and up"
    return f"{_short(Money(low))} to {_short(upper)}" if low else f"Under {_short(upper)}"


def active_filters(path: str, browse: ListQuery) -> list[ChosenFilter]:
    """Return the filters in force, each with the address that drops it."""
    filters = browse.filters

    def without(kept: ListFilters) -> str:
        return build_url(path, replace(browse, filters=kept, cursor=None))

    found = []
    if filters.min_price is not None or filters.max_price is not None:
        words = price_words(filters.min_price, filters.max_price)
        found.append(ChosenFilter(words, without(replace(filters, min_price=None, max_price=None))))
    if filters.min_rating is not None:
        found.append(ChosenFilter(f"{filters.min_rating} stars and up", without(replace(filters, min_rating=None))))
    for brand in filters.brands:
        rest = tuple(other for other in filters.brands if other != brand)
        found.append(ChosenFilter(brand, without(replace(filters, brands=rest))))
    if filters.in_stock:
        found.append(ChosenFilter("In stock", without(replace(filters, in_stock=False))))
    return found


def _usable(given: dict[str, object]) -> ProductsQuery:
    try:
        return ProductsQuery.model_validate(given)
    except ValidationError as error:
        wrong = {fault["loc"][0] for fault in error.errors() if fault["loc"]}
        return ProductsQuery.model_validate({name: value for name, value in given.items() if name not in wrong})


def _short(money: Money) -> str:
    return str(money).removesuffix(".00")
