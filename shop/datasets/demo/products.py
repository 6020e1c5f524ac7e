"""The products of the demo store. Each is a pure function of its id."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from shop.datasets.demo.assortment import DemoAssortment
from shop.datasets.demo.category_placement import CategoryPlacement
from shop.datasets.demo.pricing import price_of
from shop.datasets.demo.seeded_random import SeededShuffle, generator, zipf_share
from shop.datasets.demo.sizes import DemoSize
from shop.datasets.slugs import slugify

OPENINGS: Sequence[str] = (
    "{Article} from {brand}, made to be used every day.",
    "{Article} that does one thing and does it well, made by {brand}.",
    "{brand} has made this {noun} for years and changed it only where that made it better.",
    "{Article} for people who use things rather than collect them.",
    "The {noun} by {brand}: simple, honest and well made.",
    "{Article} with the plain good looks {brand} is known for.",
)
PLURAL_OPENINGS: Sequence[str] = (
    "{Article} from {brand}, made to be used every day.",
    "{Article} that do one thing and do it well, made by {brand}.",
    "{Article} for people who use things rather than collect them.",
    "{Article} with the plain good looks {brand} is known for.",
)
"""For products with a plural name, such as trousers."""
CLOSINGS = ("Packed without plastic.", "Sent in recycled cardboard.", "Can be returned within thirty days.", "", "")
CATALOGUE_AGE_DAYS = 3 * 365
SOLD_OUT = 0.04
NEARLY_SOLD_OUT = 0.10
"""Upper limits of the draw for no pieces, and for a few pieces, in stock."""
ALWAYS_IN_STOCK = 0.05
"""Share of the most popular products, which are always in stock."""


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """One product."""

    id: int
    slug: str
    category: int
    title: str
    brand: str
    price: int
    """Cents."""


class DemoProducts:
    """All products of one size, numbered from 1.

    Args:
        assortment: the categories and the words.
        size: the number of products.
    """

    def __init__(self, assortment: DemoAssortment, size: DemoSize) -> None:
        self.assortment = assortment
        self.count = size.products
        self._ranks = SeededShuffle(self.count, salt=17)
        categories = assortment.categories
        self._placement = CategoryPlacement([category.slug for category in categories])
        self._combinations = [
            SeededShuffle(math.prod(map(len, category.word_lists)), salt) for salt, category in enumerate(categories)
        ]

    def rank(self, product_id: int) -> int:
        """Return the popularity rank of a product; 0 is the most popular."""
        return self._ranks(product_id - 1)

    def at_rank(self, rank: int) -> int:
        """Return the id of the product with a popularity rank."""
        return self._ranks.inverse(rank) + 1

    def category(self, product_id: int) -> int:
        """Return the index of a product's category."""
        return self._placement.category(product_id)

    @cached_property
    def bestsellers(self) -> Sequence[Sequence[int]]:
        """Return the product ids of each category, most popular first."""
        by_category: list[list[int]] = [[] for _ in self.assortment.categories]
        for rank in range(self.count):
            product_id = self.at_rank(rank)
            by_category[self.category(product_id)].append(product_id)
        return by_category

    def share(self, product_id: int) -> float:
        """Return a product's share of all orders."""
        return zipf_share(self.rank(product_id), self.count)

    def __getitem__(self, product_id: int) -> DemoProduct:
        """Return a product."""
        category_index = self.category(product_id)
        category = self.assortment.categories[category_index]
        brand, style, material, noun, variant = self._words(product_id)
        title = f"{style} {material} {noun}, {variant}"
        return DemoProduct(
            id=product_id,
            slug=slugify(f"{brand} {title}"),
            category=category_index,
            title=title,
            brand=brand,
            price=price_of(category.price, category.spread, generator("price", product_id)),
        )

    def description(self, product: DemoProduct) -> str:
        """Return two to four sentences about a product."""
        random = generator("description", product.id)
        category = self.assortment.categories[product.category]
        _, _, material, noun, _ = self._words(product.id)
        if noun.endswith("s") and " of " not in noun:  # a plural
            openings, article = PLURAL_OPENINGS, f"{material} {noun}".capitalize()
        else:
            openings, article = OPENINGS, f"{'An' if material[0] in 'AEIO' else 'A'} {material.lower()} {noun.lower()}"
        opening = random.choice(openings).format(Article=article, brand=product.brand, noun=noun.lower())
        sentences = [opening, random.choice(category.details)]
        if random.random() < 0.75:
            sentences.append(random.choice(category.uses))
        return " ".join(sentence for sentence in [*sentences, random.choice(CLOSINGS)] if sentence)

    def stock(self, product_id: int) -> int:
        """Return the pieces of a product in stock."""
        random = generator("stock", product_id)
        if self.rank(product_id) < self.count * ALWAYS_IN_STOCK:
            return random.randrange(400, 2_000)
        draw = random.random()
        if draw < SOLD_OUT:
            return 0
        if draw < NEARLY_SOLD_OUT:
            return random.randrange(1, 6)
        return int(random.lognormvariate(3.8, 0.7)) + 6

    def age(self, product_id: int) -> timedelta:
        """Return for how long a product has been in the catalogue, at least one second."""
        age = generator("created", product_id).random()
        return timedelta(seconds=int(age * CATALOGUE_AGE_DAYS * 86_400) + 1)

    def _words(self, product_id: int) -> list[str]:
        category_index = self.category(product_id)
        combination = self._combinations[category_index](self._placement.position(product_id))
        words = []
        for word_list in self.assortment.categories[category_index].word_lists:
            combination, index = divmod(combination, len(word_list))
            words.append(word_list[index])
        return words
