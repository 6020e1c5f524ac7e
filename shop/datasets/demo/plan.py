"""The load plan of the demo store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, partial

from shop.accounts.passwords import hash_password
from shop.datasets.demo.assortment import DemoAssortment
from shop.datasets.demo.assortment import load as load_assortment
from shop.datasets.demo.calendar import OrderCalendar, end_before
from shop.datasets.demo.customers import DemoCustomers
from shop.datasets.demo.demand import DemoDemand
from shop.datasets.demo.orders import DemoOrders
from shop.datasets.demo.products import DemoProducts
from shop.datasets.demo.reviews import DemoReviews
from shop.datasets.demo.sizes import SIZES, DemoSize
from shop.datasets.plan import Connection, LoadStep, ReportRows, SourceFinding, copy
from shop.datasets.rows import Row
from shop.datasets.search_words import REBUILD
from shop.demo_accounts import ADMIN, DEMO_PASSWORD
from shop.errors import ConfigurationError
from shop.settings import Settings

PRODUCTS_PER_STEP = 50_000
ROWS_PER_ORDER = 10
"""About: the order, its summary, three lines, four events, a payment."""


def plan(settings: Settings, size: str) -> "DemoPlan":
    """Return the load plan of one size.

    Raises:
        ConfigurationError: the size does not exist.
    """
    if size not in SIZES:
        raise ConfigurationError(f"There is no size {size!r}; there are {', '.join(SIZES)}.")
    return DemoPlan(SIZES[size], demo_accounts=settings.is_lab)


@dataclass(frozen=True)
class DemoPlan:
    """The demo store of one size.

    Args:
        size: the numbers of products, customers, orders and reviews.
        demo_accounts: whether to add the two accounts with the published password.
    """

    size: DemoSize
    demo_accounts: bool

    def findings(self) -> Sequence[SourceFinding]:
        """Return nothing: generated data has no irregularities."""
        return ()

    def steps(self, today: date) -> Sequence[LoadStep]:
        """Return all steps, in order; all dates of their rows are before ``today``."""
        assortment, end = self._assortment, end_before(today)
        orders = DemoOrders(self._products, self._customers, self._demand, OrderCalendar(end))
        steps = [
            LoadStep("categories", len(assortment.departments) + len(assortment.categories), self._load_categories),
            LoadStep("users", self.size.customers, partial(self._load_users, end)),
        ]
        for first in range(1, self.size.products + 1, PRODUCTS_PER_STEP):
            ids = range(first, min(first + PRODUCTS_PER_STEP, self.size.products + 1))
            steps.append(LoadStep(f"products from {first}", len(ids) * 2, partial(self._load_products, ids, end)))
            reviews = round(self.size.reviews * len(ids) / self.size.products)
            steps.append(LoadStep(f"reviews from {first}", reviews, partial(self._load_reviews, ids, end)))
        for batch in range(self._demand.batches):
            rows = ROWS_PER_ORDER * self.size.orders // self._demand.batches
            steps.append(LoadStep(f"orders {batch}", rows, partial(orders.load_batch, batch)))
        steps.append(LoadStep("search words", 0, lambda connection, report: connection.execute(REBUILD).rowcount))
        return steps

    @cached_property
    def _assortment(self) -> DemoAssortment:
        return load_assortment()

    @cached_property
    def _products(self) -> DemoProducts:
        return DemoProducts(self._assortment, self.size)

    @cached_property
    def _customers(self) -> DemoCustomers:
        return DemoCustomers(self.size, demo_shopper=self.demo_accounts)

    @cached_property
    def _demand(self) -> DemoDemand:
        return DemoDemand(self._products, self.size)

    @cached_property
    def _reviews(self) -> DemoReviews:
        return DemoReviews(self._products, self._customers, self.size)

    @cached_property
    def _pieces_sold(self) -> Sequence[int]:
        return self._demand.pieces_sold()

    def _load_categories(self, connection: Connection, report_rows: ReportRows) -> int:
        assortment = self._assortment
        offset = len(assortment.departments)
        motifs = {category.department.slug: category.motif for category in reversed(assortment.categories)}
        departments = [
            (number, department.slug, department.name, None, department.position, motifs[department.slug])
            for number, department in enumerate(assortment.departments, start=1)
        ]
        categories = [
            (offset + number, category.slug, category.name, category.department.position, number, category.motif)
            for number, category in enumerate(assortment.categories, start=1)
        ]
        return copy(connection, "categories", [*departments, *categories], report_rows)

    def _load_users(self, end: datetime, connection: Connection, report_rows: ReportRows) -> int:
        def rows() -> Iterator[Row]:
            for customer_id in range(1, self.size.customers + 1):
                customer = self._customers[customer_id]
                joined_at = end - self._customers.membership(customer_id)
                password_hash = demo_hash if customer_id == 1 else None
                yield (customer.id, customer.email, customer.name, password_hash, "customer", joined_at, joined_at)
            if self.demo_accounts:
                admin_id = self.size.customers + 1
                yield (admin_id, ADMIN.email, ADMIN.name, hash_password(DEMO_PASSWORD), ADMIN.role, end, end)

        demo_hash = hash_password(DEMO_PASSWORD) if self.demo_accounts else None
        return copy(connection, "users", rows(), report_rows)

    def _load_products(self, ids: range, end: datetime, connection: Connection, report_rows: ReportRows) -> int:
        rows = copy(connection, "products", (self._product_row(product_id, end) for product_id in ids), report_rows)
        on_hand = ((product_id, self._products.stock(product_id)) for product_id in ids)
        stock = ((product_id, pieces, pieces + self._pieces_sold[product_id]) for product_id, pieces in on_hand)
        return rows + copy(connection, "stock_items", stock, report_rows)

    def _product_row(self, product_id: int, end: datetime) -> Row:
        product = self._products[product_id]
        ratings = self._reviews.ratings(product_id)
        created_at = end - self._products.age(product_id)
        return (
            product.id,
            product.slug,
            len(self._assortment.departments) + product.category + 1,
            product.title,
            product.brand,
            self._products.description(product),
            product.price,
            self._pieces_sold[product_id],
            len(ratings),
            sum(ratings),
            created_at,
            created_at,
        )

    def _load_reviews(self, ids: range, end: datetime, connection: Connection, report_rows: ReportRows) -> int:
        row = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM reviews").fetchone()
        first_id = row[0] if row else 1
        reviews = (review for product_id in ids for review in self._reviews.of(self._products[product_id], end))
        rows = ((review_id, *review) for review_id, review in enumerate(reviews, first_id))
        return copy(connection, "reviews", rows, report_rows)
