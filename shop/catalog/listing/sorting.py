"""The sort orders of a list. Each is total, has an index, and defines the sort key in cursors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement

from shop.catalog.listing.cursors import KeyCheck, SortKey, integer_up_to, is_finite_number
from shop.catalog.models import MAX_PRICE, Product

POPULARITY, PRICE_ASC, PRICE_DESC = "popularity", "price_asc", "price_desc"
RATING, NEWEST, RELEVANCE = "rating", "newest", "relevance"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MAX_INTEGER = 2**31 - 1
END_OF_TIME = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


@dataclass(frozen=True, slots=True)
class SortOrder:
    """One sort order of a list.

    Args:
        name: in the API.
        column: the sort key; ``None`` for relevance, which only a search can compute.
        descending: true if the greatest key comes first.
        id_descending: the direction of the ids that break ties; as in the index of the order.
        is_valid_key: tells whether a value can be a key in a cursor.
        to_key: converts a column's value to a cursor's key without loss.
        from_key: converts a cursor's key back.
    """

    name: str
    column: ColumnElement[Any] | None
    descending: bool
    id_descending: bool
    is_valid_key: KeyCheck
    to_key: Callable[[Any], SortKey] = int
    from_key: Callable[[Any], Any] = int


ORDERS: Mapping[str, SortOrder] = {
    order.name: order
    for order in (
        SortOrder(POPULARITY, Product.popularity.expression, True, False, integer_up_to(MAX_INTEGER)),
        SortOrder(PRICE_ASC, Product.price_amount.expression, False, False, integer_up_to(MAX_PRICE)),
        # reads the index on (price, id) backward, so the ids run backward too
        SortOrder(PRICE_DESC, Product.price_amount.expression, True, True, integer_up_to(MAX_PRICE)),
        SortOrder(
            RATING,
            Product.rating.expression,
            True,
            False,
            integer_up_to(500),
            lambda rating: int(rating * 100),
            lambda key: Decimal(key) / 100,
        ),
        SortOrder(
            NEWEST,
            Product.created_at.expression,
            True,
            False,
            integer_up_to(END_OF_TIME),
            lambda time: (time - EPOCH) // MICROSECOND,
            lambda key: EPOCH + key * MICROSECOND,
        ),
        SortOrder(RELEVANCE, None, True, False, is_finite_number, float, float),
    )
}
