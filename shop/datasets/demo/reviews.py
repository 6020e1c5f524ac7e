"""The reviews of the demo store. Ratings have the J-shaped distribution of real shops: most are good, some are bad."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

from shop.datasets.demo.customers import DemoCustomers
from shop.datasets.demo.products import DemoProduct, DemoProducts
from shop.datasets.demo.seeded_random import SeededShuffle, generator
from shop.datasets.demo.sizes import DemoSize
from shop.datasets.rows import Row

CURVES: Sequence[Sequence[float]] = (
    (0.70, 0.21, 0.05, 0.02, 0.02),
    (0.55, 0.27, 0.10, 0.04, 0.04),
    (0.44, 0.30, 0.14, 0.06, 0.06),
    (0.25, 0.25, 0.20, 0.14, 0.16),
)
"""Shares of 5, 4, 3, 2 and 1 star for a loved, a good, a decent and a disappointing product."""
CURVE_SHARES = (0.40, 0.35, 0.18, 0.07)
OPENERS: Mapping[int, Sequence[str]] = {
    5: (
        "Exactly what I was looking for.", "Even better than I expected.", "Bought one, came back for a second.",
        "Could not be happier with this.", "This has become part of every day.", "Worth every cent.",
        "A present that went down very well.", "I rarely write reviews, but this deserves one.",
        "Third purchase from {brand}, and again no regrets.", "Beautifully made.",
    ),
    4: (
        "Very good, with one small reservation.", "Does what it promises.", "A solid buy.",
        "Really nice for the price.",
        "Pleased with it so far.", "Good quality, quick delivery.", "Nearly perfect.", "Would buy it again.",
    ),
    3: (
        "It is all right.", "Neither good nor bad.", "Fine, but not special.", "I had hoped for a little more.",
        "Does the job, no more than that.", "Mixed feelings about this one.",
    ),
    2: (
        "Not what I hoped for.", "Looks better in the pictures.", "Disappointing for {brand}.",
        "I expected more at this price.", "Used twice, then put away.",
    ),
    1: (
        "Sadly this one went back.", "Would not buy it again.", "Arrived with a fault.", "Not worth the money.",
        "A real disappointment.",
    ),
}  # fmt: skip
REMARKS: Mapping[int, Sequence[str]] = {
    5: (
        "The {aspect} is wonderful.", "Especially the {aspect}: clearly somebody thought about it.",
        "The {aspect} alone makes it worth having.", "I love the {aspect}.", "Full marks for the {aspect}.",
    ),
    4: (
        "The {aspect} is very good.", "The {aspect} could be a touch better, but that is a detail.",
        "I like the {aspect}.", "The {aspect} took some getting used to.",
    ),
    3: (
        "The {aspect} is average.", "The {aspect} is good, the rest less so.", "Not my favourite {aspect}.",
        "The {aspect} is not quite as described.",
    ),
    2: ("The {aspect} feels cheap.", "The {aspect} lets it down.", "After a week the {aspect} was no longer right."),
    1: ("The {aspect} failed within days.", "The {aspect} is poor.", "The {aspect} is nothing like the photos."),
}  # fmt: skip
TIMES = (
    "In use for three weeks now.", "I have had it for a few months.", "In daily use since spring.",
    "It came with us on holiday.", "Our guests keep asking where it is from.", "It replaced one that was far dearer.",
    "Delivery took two days.", "Well packed, nothing broken.", "The colour matches the picture.",
    "My sister has ordered one too.", "Slightly smaller than I thought, which is my own fault.",
)  # fmt: skip
ENDINGS: Mapping[int, Sequence[str]] = {
    5: ("Highly recommended.", "Thank you!", "Five stars.", "I would give six stars if I could."),
    4: ("Recommended.", "Four stars from me.", "No fifth star, but close."),
    3: ("Three stars.", "You can find better, and you can find worse."),
    2: ("Customer service was kind, at least.", "Two stars for the effort."),
    1: ("The refund was quick, I will say that.", "One star."),
}
WITH_TIME, WITH_ENDING, WITHOUT_REMARK = 0.45, 0.35, 0.15


class DemoReviews:
    """All reviews of one size. The reviews of a product are a pure function of its id.

    Args:
        products: the reviewed products.
        customers: the authors; a customer reviews a product at most once.
        size: the approximate number of reviews.
    """

    def __init__(self, products: DemoProducts, customers: DemoCustomers, size: DemoSize) -> None:
        self._products = products
        self._customers = customers
        self.total = size.reviews

    def ratings(self, product_id: int) -> list[int]:
        """Return the ratings of a product, one for each review."""
        random = generator("ratings", product_id)
        expected = self.total * self._products.share(product_id)
        count = min(int(expected + random.random()), self._customers.count // 2)
        if not count:
            return []
        curve = random.choices(CURVES, CURVE_SHARES)[0]
        return random.choices((5, 4, 3, 2, 1), curve, k=count)

    def of(self, product: DemoProduct, end: datetime) -> Iterator[Row]:
        """Yield the rows of a product's reviews, without ids, all written before ``end``."""
        random = generator("reviews", product.id)
        authors = SeededShuffle(self._customers.count, salt=product.id % 1_000)
        first = random.randrange(self._customers.count)
        for_sale_s = self._products.age(product.id).total_seconds()
        for index, rating in enumerate(self.ratings(product.id)):
            author = self._customers[authors(first + index) + 1]
            age_s = max(1, int(for_sale_s * random.random() ** 1.5))  # recent reviews are more frequent
            written_at = end - timedelta(seconds=age_s)
            yield (product.id, author.id, author.name, rating, self._body(product, rating, random), written_at)

    def _body(self, product: DemoProduct, rating: int, random: Random) -> str:
        category = self._products.assortment.categories[product.category]
        sentences = [random.choice(OPENERS[rating]).format(brand=product.brand)]
        if random.random() > WITHOUT_REMARK:
            sentences.append(random.choice(REMARKS[rating]).format(aspect=random.choice(category.aspects)))
        if random.random() < WITH_TIME:
            sentences.append(random.choice(TIMES))
        if random.random() < WITH_ENDING:
            sentences.append(random.choice(ENDINGS[rating]))
        return " ".join(sentences)
