"""The steps that load the demo store."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from shop.accounts.passwords import hash_password
from shop.datasets.demo import assortment
from shop.datasets.demo.calendar import OrderCalendar
from shop.datasets.demo.customers import DemoCustomers
from shop.datasets.demo.demand import DemoDemand
from shop.datasets.demo.orders import DemoOrders
from shop.datasets.demo.products import DemoProducts
from shop.datasets.demo.reviews import DemoReviews
from shop.datasets.demo.sizes import EPOCH, SIZES, DemoSize
from shop.datasets.plan import Connection, LoadStep, Seen, SourceFinding, copy
from shop.datasets.rows import Row
from shop.datasets.search_words import REBUILD
from shop.demo_accounts import ADMIN, DEMO_PASSWORD
from shop.errors import ConfigurationError
from shop.settings import Settings

PRODUCTS_A_STEP = 50_000
ROWS_AN_ORDER = 10
"""About: itself, its summary, three lines, four events, a payment."""


def plan(settings: Settings, size: str) -> "DemoPlan":
    """Lay out the demo store of one size.

    Raises:
        ConfigurationError: there is no such size.
    """
    if size not in SIZES:
        raise ConfigurationError(f"There is no size {size!r}; there are {', '.join(SIZES)}.")
    return DemoPlan(SIZES[size], demo_accounts=settings.is_lab)


@dataclass(frozen=True)
class DemoPlan:
    """The demo store of one size.

    Args:
        size: how much of everything.
        demo_accounts: whether the two accounts with the known password belong in it.
    """

    size: DemoSize
    demo_accounts: bool

    def findings(self) -> Sequence[SourceFinding]:
        """Return nothing: we made the source."""
        return ()

    @cached_property
    def steps(self) -> Sequence[LoadStep]:
        """All steps, in order."""
        shelves = self._assortment
        found = [
            LoadStep("categories", len(shelves.departments) + len(shelves.categories), self._load_categories),
            LoadStep("users", self.size.customers, self._load_users),
        ]
        for first in range(1, self.size.products + 1, PRODUCTS_A_STEP):
            ids = range(first, min(first + PRODUCTS_A_STEP, self.size.products + 1))
            found.append(LoadStep(f"products from {first}", len(ids) * 2, self._loader(ids, self._load_products)))
            reviews = round(self.size.reviews * len(ids) / self.size.products)
            found.append(LoadStep(f"reviews from {first}", reviews, self._loader(ids, self._load_reviews)))
        for batch in range(self._demand.batches):
            rows = ROWS_AN_ORDER * self.size.orders // self._demand.batches
            found.append(LoadStep(f"orders {batch}", rows, self._order_loader(batch)))
        found.append(LoadStep("search words", 0, lambda connection, seen: connection.execute(REBUILD).rowcount))
        return found

    @cached_property
    def _assortment(self) -> assortment.DemoAssortment:
        return assortment.load()

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
    def _orders(self) -> DemoOrders:
        return DemoOrders(self._products, self._customers, self._demand, OrderCalendar())

    @cached_property
    def _pieces_sold(self) -> Sequence[int]:
        return self._demand.pieces_sold()

    def _load_categories(self, connection: Connection, seen: Seen) -> int:
        shelves = self._assortment
        top = len(shelves.departments)
        departments = [
            (number, shelf.slug, shelf.name, None, shelf.position, _first_motif(shelves, shelf))
            for number, shelf in enumerate(shelves.departments, start=1)
        ]
        categories = [
            (top + number, shelf.slug, shelf.name, shelf.department.position, number, shelf.motif)
            for number, shelf in enumerate(shelves.categories, start=1)
        ]
        return copy(connection, "categories", [*departments, *categories], seen)

    def _load_users(self, connection: Connection, seen: Seen) -> int:
        return copy(connection, "users", self._user_rows(), seen)

    def _user_rows(self) -> Iterator[Row]:
        password = hash_password(DEMO_PASSWORD) if self.demo_accounts else None
        for customer_id in range(1, self.size.customers + 1):
            customer = self._customers[customer_id]
            joined_at = self._customers.joined_at(customer_id)
            known = password if customer_id == 1 else None
            yield (customer.id, customer.email, customer.name, known, "customer", joined_at, joined_at)
        if self.demo_accounts:
            admin_id = self.size.customers + 1
            yield (admin_id, ADMIN.email, ADMIN.name, hash_password(DEMO_PASSWORD), ADMIN.role, EPOCH, EPOCH)

    def _loader(self, ids: range, load: Callable[[Connection, Seen, range], int]) -> Callable[[Connection, Seen], int]:
        return lambda connection, seen: load(connection, seen, ids)

    def _load_products(self, connection: Connection, seen: Seen, ids: range) -> int:
        rows = copy(connection, "products", (self._product_row(product_id) for product_id in ids), seen)
        stock = map(self._stock_row, ids)
        return rows + copy(connection, "stock_items", stock, seen)

    def _stock_row(self, product_id: int) -> Row:
        on_hand = self._products.stock(product_id)
        return (product_id, on_hand, on_hand + self._pieces_sold[product_id])

    def _product_row(self, product_id: int) -> Row:
        product = self._products[product_id]
        ratings = self._reviews.ratings(product_id)
        created_at = self._products.created_at(product_id)
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

    def _load_reviews(self, connection: Connection, seen: Seen, ids: range) -> int:
        row = connection.execute("SELECT coalesce(max(id), 0) FROM reviews").fetchone()
        before = row[0] if row else 0
        written = (review for product_id in ids for review in self._reviews.of(self._products[product_id]))
        return copy(connection, "reviews", ((before + n, *review) for n, review in enumerate(written, 1)), seen)

    def _order_loader(self, batch: int) -> Callable[[Connection, Seen], int]:
        def load(connection: Connection, seen: Seen) -> int:
            rows = self._orders.batch(batch)
            return sum(copy(connection, table, found, seen) for table, found in rows.tables())

        return load


def _first_motif(shelves: assortment.DemoAssortment, department: assortment.DemoDepartment) -> str:
    return next(category.motif for category in shelves.categories if category.department is department)
