"""The orders a list can have: each total, each with an index behind it, each with its key written into cursors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement

from shop.catalog.listing.cursors import Check, Key, finite, whole
from shop.catalog.models import MAX_PRICE, Product

POPULARITY, PRICE_ASC, PRICE_DESC = "popularity", "price_asc", "price_desc"
RATING, NEWEST, RELEVANCE = "rating", "newest", "relevance"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MAX_INTEGER = 2**31 - 1
END_OF_TIME = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


@dataclass(frozen=True, slots=True)
class SortOrder:
    """One order of a list.

    Args:
        name: as the API calls it.
        column: what it sorts by; ``None`` for relevance, which only a search can compute.
        descending: whether the greatest comes first.
        id_descending: how ties are broken; as in the index that serves the order.
        fits: whether a value can be a key in a cursor.
        to_key: writes a column's value as a cursor's key, losing nothing.
        from_key: reads it back.
    """

    name: str
    column: ColumnElement[Any] | None
    descending: bool
    id_descending: bool
    fits: Check
    to_key: Callable[[Any], Key] = int
    from_key: Callable[[Any], Any] = int


ORDERS: Mapping[str, SortOrder] = {
    order.name: order
    for order in (
        SortOrder(POPULARITY, Product.popularity.expression, True, False, whole(MAX_INTEGER)),
        SortOrder(PRICE_ASC, Product.price_amount.expression, False, False, whole(MAX_PRICE)),
        # the index on (price, id) read backward: its ties run backward too
        SortOrder(PRICE_DESC, Product.price_amount.expression, True, True, whole(MAX_PRICE)),
        SortOrder(
            RATING,
            Product.rating.expression,
            True,
            False,
            whole(500),
            lambda rating: int(rating * 100),
            lambda key: Decimal(key) / 100,
        ),
        SortOrder(
            NEWEST,
            Product.created_at.expression,
            True,
            False,
            whole(END_OF_TIME),
            lambda moment: (moment - EPOCH) // MICROSECOND,
            lambda key: EPOCH + key * MICROSECOND,
        ),
        SortOrder(RELEVANCE, None, True, False, finite, float, float),
    )
}
