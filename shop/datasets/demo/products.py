"""The products of the demo store: each a pure function of its number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from shop.datasets.demo.assortment import DemoAssortment, DemoCategory
from shop.datasets.demo.chance import SeededShuffle, generator, zipf_share
from shop.datasets.demo.pricing import price_of
from shop.datasets.demo.shelving import ShelfPlacement
from shop.datasets.demo.sizes import EPOCH, DemoSize
from shop.datasets.slugs import slugify

OPENINGS = (
    "{Article} from {brand}, made to be used every day.",
    "{Article} that does one thing and does it well, made by {brand}.",
    "{brand} has made this {noun} for years and changed it only where that made it better.",
    "{Article} for people who use things rather than collect them.",
    "The {noun} by {brand}: simple, honest and well made.",
    "{Article} with the plain good looks {brand} is known for.",
)
OPENINGS_OF_MANY = (
    "{Article} from {brand}, made to be used every day.",
    "{Article} that do one thing and do it well, made by {brand}.",
    "{Article} for people who use things rather than collect them.",
    "{Article} with the plain good looks {brand} is known for.",
)
"""For what is called by a plural: trousers, truffles."""
CLOSINGS = ("Packed without plastic.", "Sent in recycled cardboard.", "Can be returned within thirty days.", "", "")
CATALOGUE_AGE_DAYS = 3 * 365
SOLD_OUT = 0.04
NEARLY_SOLD_OUT = 0.10
"""Shares of the products of which nothing, or only a few pieces, are left."""
ALWAYS_THERE = 0.05
"""The most popular share of products never runs out: a shop that lets that happen does not last."""


@dataclass(frozen=True, slots=True)
class DemoProduct:
    """One product, as it is loaded."""

    id: int
    slug: str
    category: int
    title: str
    brand: str
    price: int
    """Cents."""


class DemoProducts:
    """All products of one size; numbers go from 1.

    Args:
        assortment: the words.
        size: how many.
    """

    def __init__(self, assortment: DemoAssortment, size: DemoSize) -> None:
        self.assortment = assortment
        self.count = size.products
        self._ranks = SeededShuffle(self.count, salt=17)
        shelves = assortment.categories
        self._shelving = ShelfPlacement([category.slug for category in shelves])
        self._combinations = [_combinations(category, salt) for salt, category in enumerate(shelves)]

    def rank(self, product_id: int) -> int:
        """Return how popular a product is: 0 is the best seller."""
        return self._ranks(product_id - 1)

    def at_rank(self, rank: int) -> int:
        """Return the product of a popularity rank."""
        return self._ranks.inverse(rank) + 1

    def category(self, product_id: int) -> int:
        """Return the index of the category a product stands in."""
        return self._shelving.category(product_id)

    @cached_property
    def bestsellers(self) -> Sequence[Sequence[int]]:
        """Return the products of each category, most popular first."""
        found: list[list[int]] = [[] for _ in self.assortment.categories]
        for rank in range(self.count):
            product_id = self.at_rank(rank)
            found[self.category(product_id)].append(product_id)
        return found

    def share(self, product_id: int) -> float:
        """Return which share of all interest a product draws."""
        return zipf_share(self.rank(product_id), self.count)

    def __getitem__(self, product_id: int) -> DemoProduct:
        """Make one product."""
        place = self.category(product_id)
        category = self.assortment.categories[place]
        brand, style, material, noun, variant = self._words(product_id)
        title = f"{style} {material} {noun}, {variant}"
        return DemoProduct(
            id=product_id,
            slug=slugify(f"{brand} {title}"),
            category=place,
            title=title,
            brand=brand,
            price=price_of(category.price, category.spread, generator("price", product_id)),
        )

    def description(self, product: DemoProduct) -> str:
        """Write two to four sentences about a product."""
        random = generator("description", product.id)
        category = self.assortment.categories[product.category]
        _, _, material, noun, _ = self._words(product.id)
        opening = random.choice(OPENINGS_OF_MANY if _is_many(noun) else OPENINGS).format(
            Article=_introduced(f"{material} {noun}", many=_is_many(noun)),
            brand=product.brand,
            noun=noun.lower(),
        )
        sentences = [opening, random.choice(category.details)]
        if random.random() < 0.75:
            sentences.append(random.choice(category.uses))
        return " ".join(sentence for sentence in [*sentences, random.choice(CLOSINGS)] if sentence)

    def stock(self, product_id: int) -> int:
        """Return how many pieces lie in the warehouse."""
        random = generator("stock", product_id)
        if self.rank(product_id) < self.count * ALWAYS_THERE:
            return random.randrange(400, 2_000)
        luck = random.random()
        if luck < SOLD_OUT:
            return 0
        if luck < NEARLY_SOLD_OUT:
            return random.randrange(1, 6)
        return int(random.lognormvariate(3.8, 0.7)) + 6

    def created_at(self, product_id: int) -> datetime:
        """Return when a product entered the catalogue."""
        age = generator("created", product_id).random()
        return EPOCH - timedelta(seconds=int(age * CATALOGUE_AGE_DAYS * 86_400) + 1)

    def _words(self, product_id: int) -> list[str]:
        place = self.category(product_id)
        combinations = self._combinations[place]
        left = combinations(self._shelving.place(product_id))
        words = []
        for wheel in self.assortment.categories[place].wheels:
            left, spoke = divmod(left, len(wheel))
            words.append(wheel[spoke])
        return words


def _is_many(noun: str) -> bool:
    return noun.endswith("s") and " of " not in noun


def _introduced(thing: str, *, many: bool) -> str:
    if many:
        return thing.capitalize()
    return f"{'An' if thing[0] in 'AEIO' else 'A'} {thing.lower()}"


def _combinations(category: DemoCategory, salt: int) -> SeededShuffle:
    size = 1
    for wheel in category.wheels:
        size *= len(wheel)
    return SeededShuffle(size, salt)
