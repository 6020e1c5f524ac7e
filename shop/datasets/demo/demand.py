"""The contents of the demo store's orders.

The first product of a basket is drawn by popularity. Each further one is a companion of the first (the same companions
in every basket), another product of the same or a neighbouring category, or any product. So "bought together" shows
real correlations.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from shop.datasets.demo.products import DemoProducts
from shop.datasets.demo.seeded_random import generator, zipf
from shop.datasets.demo.sizes import DemoSize

BATCH = 5_000
"""Orders of a batch, which is one transaction."""
BASKET_SIZES = ((1, 0.26), (2, 0.23), (3, 0.18), (4, 0.13), (5, 0.09), (6, 0.06), (7, 0.03), (8, 0.02))
QUANTITIES = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)
COMPANION, NEIGHBOUR = 0.50, 0.80
"""Upper limits of the draw for a companion, and for a product of the same or a neighbouring category."""
COMPANIONS = 6
CANCELLED, REFUNDED = 0.02, 0.05
NEWEST_PAID, NEWEST_SHIPPED = 0.0005, 0.008
"""Shares of the newest orders that are paid but not shipped, or shipped but not delivered."""


@dataclass(frozen=True, slots=True)
class DemoBasket:
    """The contents of one order: product ids and quantities."""

    order_id: int
    status: str
    items: Sequence[tuple[int, int]]

    @property
    def is_sale(self) -> bool:
        """Whether the order was paid and not refunded."""
        return self.status not in ("cancelled", "refunded")


class DemoDemand:
    """All baskets of one size, in batches that are generated independently.

    Args:
        products: the products for sale.
        size: the number of orders.
    """

    def __init__(self, products: DemoProducts, size: DemoSize) -> None:
        self._products = products
        self.orders = size.orders
        self.batches = -(-size.orders // BATCH)
        assortment = products.assortment
        self._neighbours = [
            [index, *(assortment.index[slug] for slug in category.goes_with if slug in assortment.index)]
            for index, category in enumerate(assortment.categories)
        ]

    def baskets(self, batch: int) -> Iterator[DemoBasket]:
        """Yield the baskets of a batch, oldest order first."""
        random = generator("baskets", batch)
        for order_id in range(batch * BATCH + 1, min((batch + 1) * BATCH, self.orders) + 1):
            items = [(product_id, random.choice(QUANTITIES)) for product_id in self._products_of_basket(random)]
            draw = random.random()
            age = 1 - order_id / self.orders
            if draw < REFUNDED:
                status = "cancelled" if draw < CANCELLED else "refunded"
            elif age < NEWEST_SHIPPED:
                status = "paid" if age < NEWEST_PAID else "shipped"
            else:
                status = "delivered"
            yield DemoBasket(order_id, status, items)

    def pieces_sold(self) -> Sequence[int]:
        """Return the pieces sold of each product; the index is the product's id."""
        sold = array("L", bytes(8 * (self._products.count + 1)))
        for batch in range(self.batches):
            for basket in self.baskets(batch):
                if basket.is_sale:
                    for product_id, quantity in basket.items:
                        sold[product_id] += quantity
        return sold

    def _products_of_basket(self, random: Random) -> list[int]:
        first = self._products.at_rank(zipf(random.random(), self._products.count))
        neighbours = self._neighbours[self._products.category(first)]
        product_ids = {first: None}
        draw = random.random()
        for count, share in BASKET_SIZES:
            size = count
            draw -= share
            if draw < 0:
                break
        for _ in range(size - 1):
            kind = random.random()
            if kind < COMPANION:
                companion = zipf(random.random(), COMPANIONS)
                category = neighbours[(first + companion) % len(neighbours)]
                # Knuth's multiplicative hash: the companions of a product are spread, but always the same.
                draw = (first * 2_654_435_761 + companion * 40_503) % 10_007 / 10_007
                product_id = self._from_category(category, draw)
            elif kind < NEIGHBOUR:
                category = neighbours[int(random.random() * len(neighbours))]
                product_id = self._from_category(category, random.random())
            else:
                product_id = self._products.at_rank(zipf(random.random(), self._products.count))
            product_ids[product_id] = None
        return list(product_ids)

    def _from_category(self, category: int, draw: float) -> int:
        bestsellers = self._products.bestsellers[category]
        return bestsellers[zipf(draw, len(bestsellers))]
