"""The category of each product. Some categories are large, some small.

A fixed cycle of slots assigns products to categories; each category has several slots. So the category of a product
and its position in the category are pure functions of its id.
"""

from collections.abc import Sequence

from shop.datasets.demo.seeded_random import generator

MIN_SLOTS, MAX_SLOTS = 3, 8
"""Slots of a category. With more slots, a category would have too few titles for a million products."""


class CategoryPlacement:
    """Assigns product ids, from 1, to categories.

    Args:
        slugs: the categories' slugs.
    """

    def __init__(self, slugs: Sequence[str]) -> None:
        counts = [generator("breadth", slug).randint(MIN_SLOTS, MAX_SLOTS) for slug in slugs]
        slots = [category for category, count in enumerate(counts) for _ in range(count)]
        generator("shelving").shuffle(slots)
        self._slots = slots
        self._slot_counts = counts
        self._earlier_slots = [slots[:slot].count(category) for slot, category in enumerate(slots)]
        """The number of earlier slots of the same category in the cycle."""

    def category(self, product_id: int) -> int:
        """Return the index of a product's category."""
        return self._slots[(product_id - 1) % len(self._slots)]

    def position(self, product_id: int) -> int:
        """Return the position of a product in its category, from 0 and without gaps."""
        cycles, slot = divmod(product_id - 1, len(self._slots))
        return cycles * self._slot_counts[self._slots[slot]] + self._earlier_slots[slot]
