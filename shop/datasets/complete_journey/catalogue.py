"""Products for sale, from what the retailer wrote down and what its tills saw."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from statistics import median_low

from shop.datasets.complete_journey.receipts import SalesSummary
from shop.datasets.complete_journey.shelves import UNLISTED, JourneyCategories
from shop.datasets.complete_journey.source import SourceProduct
from shop.datasets.complete_journey.wording import named, package, readable
from shop.datasets.plan import SourceFinding
from shop.datasets.rows import Row
from shop.datasets.slugs import slugify

YEAR_BEGINS = datetime(2017, 1, 1, tzinfo=UTC)
SLUG_LENGTH = 80
WEEKS, WEEKS_OF_STOCK = 52, 4
OWN_BRAND = "Own Brand"


def unlisted(sales: SalesSummary, products: Sequence[SourceProduct]) -> list[SourceProduct]:
    """Return a bare description for each product that was sold and never described."""
    known = {product.id for product in products}
    return [
        SourceProduct(number, 0, UNLISTED, "", None, None, None)
        for number in sorted(sales.pieces)
        if number not in known
    ]


def brand(product: SourceProduct) -> str:
    """Return whose product it is. The source hides the makers' names behind numbers."""
    if product.department == UNLISTED:
        return "Unknown"
    return OWN_BRAND if product.brand == "Private" else f"Maker {product.maker}"


def title(product: SourceProduct) -> str:
    """Return what to call it: its type, else its category, else its department, and the package size."""
    if product.department == UNLISTED:
        return f"Unlisted item {product.id}"
    name = named(readable(product.type or ""), readable(product.category or ""))
    name = name or f"{readable(product.department)} item"
    size = package(product.size)
    return f"{name}, {size}" if size else name


def description(product: SourceProduct, pieces: int) -> str:
    """Say what the source says, in sentences."""
    if product.department == UNLISTED:
        return "Sold at the till, but described nowhere in the source."
    shelf = readable(product.category or "") or "no particular shelf"
    maker = "the store's own brand" if product.brand == "Private" else f"maker number {product.maker}"
    sold = f"{pieces:,} sold in 2017" if pieces > 1 else "One sold in 2017" if pieces else "Not sold in 2017"
    return f"From {maker}. It stands under {shelf} in the department {readable(product.department)}. {sold}."


class PriceTags:
    """Prices for everything. What was never sold at a price costs what its like costs.

    Args:
        products: everything.
        sales: the year.
    """

    def __init__(self, products: Sequence[SourceProduct], sales: SalesSummary) -> None:
        self._own = sales.price
        groups: dict[tuple[str | None, ...], list[int]] = {}
        for product in products:
            if product.id in self._own:
                for kind in _kinds(product):
                    groups.setdefault(kind, []).append(self._own[product.id])
        self._usual = {kind: median_low(found) for kind, found in groups.items()}

    def of(self, product: SourceProduct) -> int:
        """Return a product's price in cents: its own, else the median of its type, category, department, of all."""
        if product.id in self._own:
            return self._own[product.id]
        return next((self._usual[kind] for kind in _kinds(product) if kind in self._usual), 1)


def stock(pieces: int) -> int:
    """Return how many lie on the shelf: what an average four weeks sell. What never sold is not there to be sold."""
    return -(-pieces * WEEKS_OF_STOCK // WEEKS)


def rows(products: Sequence[SourceProduct], sales: SalesSummary, shelves: JourneyCategories) -> Iterator[Row]:
    """Make the rows of the products."""
    tags = PriceTags(products, sales)
    for product in products:
        name = title(product)
        pieces = sales.pieces[product.id]
        since = sales.first_sold.get(product.id, YEAR_BEGINS)
        yield (
            product.id,
            f"{slugify(name)[:SLUG_LENGTH].strip('-')}-{product.id}",
            shelves.ids[product.department, product.category],
            name,
            brand(product),
            description(product, pieces),
            tags.of(product),
            pieces,
            0,
            0,
            since,
            since,
        )


def findings(products: Sequence[SourceProduct], sales: SalesSummary) -> Sequence[SourceFinding]:
    """Return what was odd about the products."""
    described = [product for product in products if product.department != UNLISTED]
    counted = (
        (
            "products sold but not described",
            len(products) - len(described),
            'kept as "Unlisted item", in a department of their own, so that no receipt loses a line',
        ),
        (
            "products without a category",
            sum(product.category is None for product in described),
            'placed in the category "Other" of their department',
        ),
        (
            "products without a type",
            sum(product.type is None for product in described),
            "named after their category, else after their department",
        ),
        (
            "products without a readable package size",
            sum(not package(product.size) for product in described),
            "named without one",
        ),
        (
            "products never sold",
            sum(product.id not in sales.pieces for product in described),
            "priced at the median of their type, else category, else department, and out of stock",
        ),
        (
            "products sold only at no price",
            sum(product.id in sales.pieces and product.id not in sales.price for product in products),
            "priced at the median of their type, else category, else department",
        ),
    )
    return [SourceFinding(subject, count, treatment) for subject, count, treatment in counted if count]


def _kinds(product: SourceProduct) -> tuple[tuple[str | None, ...], ...]:
    where = (product.department, product.category, product.type)
    return (where, where[:2], where[:1], ())
