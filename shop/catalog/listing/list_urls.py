"""URLs of list pages: parses their query strings, and builds them.

People edit URLs by hand, and forms send empty fields. So a page ignores an invalid field and shows the rest; the API
refuses it.
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
class ActiveFilter:
    """An active filter: its label, and the URL of the list without it."""

    label: str
    url: str


def parse_arguments(arguments: Arguments, category: str | None = None) -> ListQuery:
    """Return the list query of a URL.

    Args:
        arguments: name to values, as in the query string.
        category: slug of the page's category.
    """
    fields: dict[str, object] = {name: arguments[name][0] for name in FIELDS if arguments.get(name)}
    if "brand" in fields:
        fields["brand"] = [brand for brand in arguments["brand"] if brand]
    if arguments.get(PRICE):
        low, _, high = arguments[PRICE][0].partition("-")
        fields |= {"min_price": low, "max_price": high}
    try:
        query = ProductsQuery.model_validate(fields)
    except ValidationError as error:
        invalid = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
        query = ProductsQuery.model_validate({name: value for name, value in fields.items() if name not in invalid})
    list_query = replace(query.to_list_query(), category=category)
    try:
        _ = list_query.cursor_position
    except InvalidFields:
        return replace(list_query, sort=None, cursor=None)
    return list_query


def build_url(path: str, list_query: ListQuery) -> str:
    """Return the URL of a list's page."""
    filters = list_query.filters
    fields: list[tuple[str, object]] = [
        ("q", list_query.q),
        (PRICE, price_value(filters.min_price, filters.max_price)),
        ("min_rating", filters.min_rating),
        *(("brand", brand) for brand in filters.brands),
        ("in_stock", "true" if filters.in_stock else None),
        ("sort", list_query.sort),
        ("cursor", list_query.cursor),
    ]
    query = urlencode([(name, value) for name, value in fields if value not in (None, "")])
    return f"{path}?{query}" if query else path


def price_value(low: int | None, high: int | None) -> str | None:
    """Return a range of prices as one value; ``None`` for all prices."""
    if low is None and high is None:
        return None
    return f"{low or 0}-{'' if high is None else high}"


def price_label(low: int | None, high: int | None) -> str:
    """Return the label of a range of prices; its upper end is shown as the start of the next band."""
    upper = None if high is None else Money(high + 1 if high % 100 == 99 else high)
    if upper is None:
        return f"{_short(Money(low or 0))} and up"
    return f"{_short(Money(low))} to {_short(upper)}" if low else f"Under {_short(upper)}"


def active_filters(path: str, list_query: ListQuery) -> list[ActiveFilter]:
    """Return the active filters, each with the URL that removes it."""
    filters = list_query.filters

    def url_with(remaining: ListFilters) -> str:
        return build_url(path, replace(list_query, filters=remaining, cursor=None))

    active = []
    if filters.min_price is not None or filters.max_price is not None:
        label = price_label(filters.min_price, filters.max_price)
        active.append(ActiveFilter(label, url_with(replace(filters, min_price=None, max_price=None))))
    if filters.min_rating is not None:
        active.append(ActiveFilter(f"{filters.min_rating} stars and up", url_with(replace(filters, min_rating=None))))
    for brand in filters.brands:
        other_brands = tuple(other for other in filters.brands if other != brand)
        active.append(ActiveFilter(brand, url_with(replace(filters, brands=other_brands))))
    if filters.in_stock:
        active.append(ActiveFilter("In stock", url_with(replace(filters, in_stock=False))))
    return active


def _short(money: Money) -> str:
    return str(money).removesuffix(".00")
