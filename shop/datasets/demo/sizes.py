"""How large the demo store can be."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment the generated year ends. Fixed, so that the same rows come out whenever they are made."""


@dataclass(frozen=True)
class DemoSize:
    """How many of each thing to make.

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
            # a million products, and as much trade as a laptop's disk gladly holds
            DemoSize("l", products=1_000_000, customers=60_013, orders=200_000, reviews=600_000),
        )
    }
)
