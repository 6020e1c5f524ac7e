"""What people put into their baskets.

The first thing in a basket follows the popularity of everything for sale. What follows belongs to it: a companion that
many others took with it too, something else from the same or a neighbouring category, or something entirely different.
So "bought together" has something true to say.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from shop.datasets.demo.chance import generator, zipf
from shop.datasets.demo.products import DemoProducts
from shop.datasets.demo.sizes import DemoSize

BATCH = 5_000
"""Orders made, and committed, at a time."""
BASKET_SIZES = ((1, 0.26), (2, 0.23), (3, 0.18), (4, 0.13), (5, 0.09), (6, 0.06), (7, 0.03), (8, 0.02))
QUANTITIES = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)
COMPANION, NEIGHBOUR = 0.50, 0.80
"""Upper ends of the draw for a companion and for the same or a neighbouring category."""
COMPANIONS = 6
CANCELLED, REFUNDED = 0.02, 0.05
NEWEST_PAID, NEWEST_SHIPPED = 0.0005, 0.008
"""Shares of the newest orders that still wait to be sent, or are under way."""


@dataclass(frozen=True, slots=True)
class DemoBasket:
    """What one order holds: product ids and pieces."""

    order_id: int
    status: str
    items: Sequence[tuple[int, int]]

    @property
    def is_sale(self) -> bool:
        """Whether the store kept the money."""
        return self.status not in ("cancelled", "refunded")


class DemoDemand:
    """All baskets of one size, in batches that can be made one by one.

    Args:
        products: what is for sale.
        size: how many orders.
    """

    def __init__(self, products: DemoProducts, size: DemoSize) -> None:
        self._products = products
        self.orders = size.orders
        self.batches = -(-size.orders // BATCH)
        shelves = products.assortment
        self._neighbours = [
            [place, *(shelves.index[slug] for slug in category.goes_with if slug in shelves.index)]
            for place, category in enumerate(shelves.categories)
        ]

    def baskets(self, batch: int) -> Iterator[DemoBasket]:
        """Make one batch, oldest order first."""
        random = generator("baskets", batch)
        for order_id in range(batch * BATCH + 1, min((batch + 1) * BATCH, self.orders) + 1):
            items = [(product_id, random.choice(QUANTITIES)) for product_id in self._fill(random)]
            yield DemoBasket(order_id, self._status(order_id, random.random()), items)

    def pieces_sold(self) -> Sequence[int]:
        """Return the pieces sold of each product, at its id."""
        sold = array("L", bytes(8 * (self._products.count + 1)))
        for batch in range(self.batches):
            for basket in self.baskets(batch):
                if basket.is_sale:
                    for product_id, quantity in basket.items:
                        sold[product_id] += quantity
        return sold

    def _fill(self, random: Random) -> list[int]:
        first = self._products.at_rank(zipf(random.random(), self._products.count))
        items = {first: None}
        for _ in range(_basket_size(random.random()) - 1):
            items[self._another(random, first)] = None
        return list(items)

    def _another(self, random: Random, first: int) -> int:
        kind = random.random()
        if kind < COMPANION:
            return self._companion(first, zipf(random.random(), COMPANIONS))
        if kind < NEIGHBOUR:
            neighbours = self._neighbours[self._products.category(first)]
            return self._from_shelf(neighbours[int(random.random() * len(neighbours))], random.random())
        return self._products.at_rank(zipf(random.random(), self._products.count))

    def _companion(self, product_id: int, which: int) -> int:
        """Return one of the few products that go with this one, always the same ones."""
        neighbours = self._neighbours[self._products.category(product_id)]
        shelf = neighbours[(product_id + which) % len(neighbours)]
        place = product_id * 2_654_435_761 + which * 40_503  # Knuth's multiplicative hash: spread, but fixed
        return self._from_shelf(shelf, place % 10_007 / 10_007)

    def _from_shelf(self, shelf: int, draw: float) -> int:
        bestsellers = self._products.bestsellers[shelf]
        return bestsellers[zipf(draw, len(bestsellers))]

    def _status(self, order_id: int, luck: float) -> str:
        age = 1 - order_id / self.orders
        if luck < CANCELLED:
            return "cancelled"
        if luck < REFUNDED:
            return "refunded"
        if age < NEWEST_PAID:
            return "paid"
        return "shipped" if age < NEWEST_SHIPPED else "delivered"


def _basket_size(luck: float) -> int:
    for size, share in BASKET_SIZES:
        luck -= share
        if luck < 0:
            return size
    return BASKET_SIZES[-1][0]
