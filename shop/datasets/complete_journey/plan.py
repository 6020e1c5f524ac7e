"""The load plan of the grocery retailer's year."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial

from shop.accounts.passwords import hash_password
from shop.datasets.complete_journey import catalogue
from shop.datasets.complete_journey.catalogue import YEAR_BEGINS
from shop.datasets.complete_journey.categories import JourneyCategories, number_categories
from shop.datasets.complete_journey.receipts import SalesSummary, read_line, summarise_sales
from shop.datasets.complete_journey.source import JourneyFiles, SourceLine, SourceProduct, installed
from shop.datasets.demo.seeded_random import generator
from shop.datasets.plan import Connection, LoadStep, ReportRows, SourceFinding, copy, copy_orders
from shop.datasets.rows import OrderRows, Row
from shop.datasets.search_words import REBUILD
from shop.demo_accounts import ADMIN, DEMO_PASSWORD, SHOPPER
from shop.orders.events import OrderDelivered, OrderShipped, PaymentCharged
from shop.orders.ids import new_number, new_public_id
from shop.settings import Settings

BASKETS_PER_STEP = 10_000
EVENTS_PER_ORDER = 4
"""Placed, paid, shipped and delivered: at a till they all have the same time."""


def plan(settings: Settings) -> "CompleteJourneyPlan":
    """Return the load plan.

    Raises:
        ConfigurationError: the extra is not installed.
    """
    return CompleteJourneyPlan(installed(), demo_accounts=settings.is_lab)


@dataclass(frozen=True)
class CompleteJourneyPlan:
    """The data set as steps.

    Args:
        source: the source files.
        demo_accounts: whether to add the two accounts with the published password.
    """

    source: JourneyFiles
    demo_accounts: bool

    def steps(self, today: date) -> Sequence[LoadStep]:
        """Return all steps, in order. The source has dates of its own."""
        sales, categories, products = self._sales, self._categories, self._products
        basket_reader = _BasketReader(self.source)
        steps = [
            LoadStep(
                "categories", len(categories.rows), lambda db, report: copy(db, "categories", categories.rows, report)
            ),
            LoadStep("users", len(self._households), self._load_users),
            LoadStep("products", 2 * len(products), self._load_products),
        ]
        rows_per_order = (sales.lines + sales.baskets * (3 + EVENTS_PER_ORDER)) // max(1, sales.baskets)
        for first in range(0, sales.baskets, BASKETS_PER_STEP):
            rows = min(BASKETS_PER_STEP, sales.baskets - first) * rows_per_order
            steps.append(LoadStep(f"orders from {first + 1}", rows, partial(self._load_orders, basket_reader, first)))
        return [*steps, LoadStep("search words", 0, lambda db, report: db.execute(REBUILD).rowcount)]

    def findings(self) -> Sequence[SourceFinding]:
        """Return the irregularities of the source."""
        return [*catalogue.findings(self._products, self._sales), *self._sales.findings()]

    @cached_property
    def _sales(self) -> SalesSummary:
        return summarise_sales(self.source.lines())

    @cached_property
    def _products(self) -> Sequence[SourceProduct]:
        listed = self.source.products()
        return [*listed, *catalogue.unlisted(self._sales, listed)]

    @cached_property
    def _titles(self) -> dict[int, str]:
        return {product.id: catalogue.title(product) for product in self._products}

    @cached_property
    def _categories(self) -> JourneyCategories:
        return number_categories(self._products)

    @cached_property
    def _households(self) -> dict[int, int]:
        return {household: number for number, household in enumerate(sorted(self._sales.households), start=1)}

    def _load_users(self, connection: Connection, report_rows: ReportRows) -> int:
        rows: list[Row] = [
            (user_id, _email(household), f"Household {household}", None, "customer", YEAR_BEGINS, YEAR_BEGINS)
            for household, user_id in self._households.items()
        ]
        for account in (SHOPPER, ADMIN) if self.demo_accounts else ():
            password_hash = hash_password(DEMO_PASSWORD)
            rows.append(
                (len(rows) + 1, account.email, account.name, password_hash, account.role, YEAR_BEGINS, YEAR_BEGINS)
            )
        return copy(connection, "users", rows, report_rows)

    def _load_products(self, connection: Connection, report_rows: ReportRows) -> int:
        sales = self._sales
        rows = copy(connection, "products", catalogue.rows(self._products, sales, self._categories), report_rows)
        sold = ((product.id, sales.pieces[product.id]) for product in self._products)
        stock = ((product_id, catalogue.stock(pieces), catalogue.stock(pieces) + pieces) for product_id, pieces in sold)
        return rows + copy(connection, "stock_items", stock, report_rows)

    def _load_orders(self, reader: "_BasketReader", first: int, connection: Connection, report_rows: ReportRows) -> int:
        random = generator("complete-journey", first)
        titles = self._titles
        rows = OrderRows()
        for order_id, lines in reader.baskets(first, BASKETS_PER_STEP):
            head = lines[0]
            provider_id = f"ch_journey_{order_id}"
            readings = [(line.product, read_line(line.quantity, line.value)) for line in lines]
            rows.add(
                order_id=order_id,
                public_id=new_public_id(random),
                number=new_number(random),
                user_id=self._households[head.household],
                email=_email(head.household),
                status="delivered",
                address={  # the source has no addresses, but the number of the store
                    "name": f"Household {head.household}",
                    "line1": f"Bought in store {head.store}",
                    "city": "Unknown",
                    "postcode": "00000",
                    "country": "US",
                },
                placed_at=head.at,
                lines=[(product, titles[product], line.quantity, line.unit_price) for product, line in readings],
                events=[(event, head.at) for event in (PaymentCharged(provider_id), OrderShipped(), OrderDelivered())],
                payment=("charged", provider_id),
            )
        return copy_orders(connection, rows, report_rows)


class _BasketReader:
    """Reads the baskets of consecutive steps in one pass; only a step before the current position starts over."""

    def __init__(self, source: JourneyFiles) -> None:
        self._source = source
        self._start_over()

    def baskets(self, first: int, count: int) -> Iterator[tuple[int, list[SourceLine]]]:
        """Skip the first ``first`` baskets; yield the next ``count``, each with its order's id and its lines."""
        if first < self._position:
            self._start_over()
        for _ in itertools.islice(self._baskets, first - self._position):
            self._position += 1
        for _, lines in itertools.islice(self._baskets, count):
            self._position += 1
            yield self._position, list(lines)

    def _start_over(self) -> None:
        self._baskets = itertools.groupby(self._source.lines(), key=lambda line: line.basket)
        self._position = 0


def _email(household: int) -> str:
    return f"household-{household}@customers.shop.test"
