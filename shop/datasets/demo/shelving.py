"""Which category each product stands in: some shelves are broad, some narrow, as in any shop.

Products are dealt out by a wheel with one slot or more a category. The wheel is small and the same everywhere, so the
place of any product is still a pure function of its number.
"""

from collections.abc import Sequence

from shop.datasets.demo.chance import generator

NARROWEST, BROADEST = 3, 8
"""Slots of a category on the wheel. A broader shelf would run out of titles at a million products."""


class ShelfPlacement:
    """Deals product numbers, from 1, to categories.

    Args:
        slugs: the categories.
    """

    def __init__(self, slugs: Sequence[str]) -> None:
        slots = [place for place, slug in enumerate(slugs) for _ in range(_breadth(slug))]
        generator("shelving").shuffle(slots)
        self._slots = slots
        self._breadth = [slots.count(place) for place in range(len(slugs))]
        self._before = [slots[:slot].count(place) for slot, place in enumerate(slots)]
        """How many slots of the same category come earlier on the wheel."""

    def category(self, product_id: int) -> int:
        """Return the index of the category a product stands in."""
        return self._slots[(product_id - 1) % len(self._slots)]

    def place(self, product_id: int) -> int:
        """Return a product's place within its category, counted from 0 without a gap."""
        turns, slot = divmod(product_id - 1, len(self._slots))
        return turns * self._breadth[self._slots[slot]] + self._before[slot]


def _breadth(slug: str) -> int:
    return generator("breadth", slug).randint(NARROWEST, BROADEST)
