"""The sizes of the demo store."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class DemoSize:
    """The numbers of products, customers, orders and reviews.

    Args:
        customers: a prime, so that any step below it visits every customer once.
    """

    name: str
    products: int
    customers: int
    orders: int
    reviews: int


SIZES: Mapping[str, DemoSize] = MappingProxyType(
    {
        size.name: size
        for size in (
            DemoSize("s", products=500, customers=1_201, orders=4_000, reviews=6_000),
            DemoSize("m", products=5_000, customers=9_001, orders=40_000, reviews=60_000),
            # a million products, with few enough orders for a laptop's disk
            DemoSize("l", products=1_000_000, customers=60_013, orders=200_000, reviews=600_000),
        )
    }
)
