"""Products of the retailer, from its product list and its receipts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from statistics import median_low

from shop.datasets.complete_journey.categories import UNLISTED, JourneyCategories
from shop.datasets.complete_journey.receipts import SalesSummary
from shop.datasets.complete_journey.source import SourceProduct
from shop.datasets.complete_journey.wording import package, readable, type_or_category
from shop.datasets.plan import SourceFinding
from shop.datasets.rows import Row
from shop.datasets.slugs import slugify

YEAR_BEGINS = datetime(2017, 1, 1, tzinfo=UTC)
SLUG_LENGTH = 80
WEEKS, WEEKS_OF_STOCK = 52, 4
OWN_BRAND = "Own Brand"


def unlisted(sales: SalesSummary, products: Sequence[SourceProduct]) -> list[SourceProduct]:
    """Return a minimal product for each product id that is in the receipts but not in the product list."""
    listed = {product.id for product in products}
    return [
        SourceProduct(product_id, 0, UNLISTED, "", None, None, None)
        for product_id in sorted(sales.pieces)
        if product_id not in listed
    ]


def brand(product: SourceProduct) -> str:
    """Return the brand of a product. The source replaces the makers' names by numbers."""
    if product.department == UNLISTED:
        return "Unknown"
    return OWN_BRAND if product.brand == "Private" else f"Maker {product.maker}"


def title(product: SourceProduct) -> str:
    """Return a title: the type, else the category, else the department, and the package size."""
    if product.department == UNLISTED:
        return f"Unlisted item {product.id}"
    name = type_or_category(readable(product.type or ""), readable(product.category or ""))
    name = name or f"{readable(product.department)} item"
    size = package(product.size)
    return f"{name}, {size}" if size else name


def description(product: SourceProduct, pieces: int) -> str:
    """Return the source's data about a product as sentences."""
    if product.department == UNLISTED:
        return "Sold at the till, but described nowhere in the source."
    category = readable(product.category or "") or "no particular shelf"
    maker = "the store's own brand" if product.brand == "Private" else f"maker number {product.maker}"
    sold = f"{pieces:,} sold in 2017" if pieces > 1 else "One sold in 2017" if pieces else "Not sold in 2017"
    return f"From {maker}. It stands under {category} in the department {readable(product.department)}. {sold}."


class PriceTags:
    """Prices of all products. A product that was never sold at a price gets the median of similar products.

    Args:
        products: all products.
        sales: the sales of the year.
    """

    def __init__(self, products: Sequence[SourceProduct], sales: SalesSummary) -> None:
        self._sold_at = sales.price
        prices: dict[tuple[str | None, ...], list[int]] = {}
        for product in products:
            if product.id in self._sold_at:
                for group in _price_groups(product):
                    prices.setdefault(group, []).append(self._sold_at[product.id])
        self._medians = {group: median_low(group_prices) for group, group_prices in prices.items()}

    def of(self, product: SourceProduct) -> int:
        """Return a price in cents: the product's own, else the median of its type, category, department or of all."""
        if product.id in self._sold_at:
            return self._sold_at[product.id]
        return next((self._medians[group] for group in _price_groups(product) if group in self._medians), 1)


def stock(pieces: int) -> int:
    """Return the pieces in stock: the average sales of four weeks. A product that never sold is out of stock."""
    return -(-pieces * WEEKS_OF_STOCK // WEEKS)


def rows(products: Sequence[SourceProduct], sales: SalesSummary, categories: JourneyCategories) -> Iterator[Row]:
    """Yield the rows of the products."""
    price_tags = PriceTags(products, sales)
    for product in products:
        name = title(product)
        pieces = sales.pieces[product.id]
        since = sales.first_sold.get(product.id, YEAR_BEGINS)
        yield (
            product.id,
            f"{slugify(name)[:SLUG_LENGTH].strip('-')}-{product.id}",
            categories.ids[product.department, product.category],
            name,
            brand(product),
            description(product, pieces),
            price_tags.of(product),
            pieces,
            0,
            0,
            since,
            since,
        )


def findings(products: Sequence[SourceProduct], sales: SalesSummary) -> Sequence[SourceFinding]:
    """Return the irregularities of the products."""
    described = [product for product in products if product.department != UNLISTED]
    counts = (
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
    return [SourceFinding(subject, count, treatment) for subject, count, treatment in counts if count]


def _price_groups(product: SourceProduct) -> tuple[tuple[str | None, ...], ...]:
    path = (product.department, product.category, product.type)
    return (path, path[:2], path[:1], ())
