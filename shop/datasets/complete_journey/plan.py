"""The steps that load the grocery retailer's year."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from shop.accounts.passwords import hash_password
from shop.datasets.complete_journey import catalogue
from shop.datasets.complete_journey.catalogue import YEAR_BEGINS
from shop.datasets.complete_journey.receipts import SalesSummary, read, tally
from shop.datasets.complete_journey.shelves import JourneyCategories, arrange
from shop.datasets.complete_journey.source import JourneyFiles, SourceLine, SourceProduct, installed
from shop.datasets.demo.chance import generator
from shop.datasets.plan import Connection, LoadStep, Seen, SourceFinding, copy
from shop.datasets.rows import Event, OrderRows, Row
from shop.datasets.search_words import REBUILD
from shop.demo_accounts import ADMIN, DEMO_PASSWORD, SHOPPER
from shop.orders.events import OrderDelivered, OrderShipped, PaymentCharged
from shop.orders.ids import new_number, new_public_id
from shop.settings import Settings

BASKETS_A_STEP = 10_000
EVENTS_AN_ORDER = 4
"""Placed, paid, shipped and delivered: at a till all of it happens at once."""


def plan(settings: Settings) -> "CompleteJourneyPlan":
    """Lay out the data set.

    Raises:
        ConfigurationError: the extra is not installed.
    """
    return CompleteJourneyPlan(installed(), demo_accounts=settings.is_lab)


@dataclass(frozen=True)
class CompleteJourneyPlan:
    """The data set as steps.

    Args:
        source: where the files are.
        demo_accounts: whether the two accounts with the known password belong in it.
    """

    source: JourneyFiles
    demo_accounts: bool

    @cached_property
    def steps(self) -> Sequence[LoadStep]:
        """All steps, in order."""
        found = [
            LoadStep(
                "categories", len(self._shelves.rows), lambda db, seen: copy(db, "categories", self._shelves.rows, seen)
            ),
            LoadStep("users", len(self._households), lambda db, seen: copy(db, "users", self._user_rows(), seen)),
            LoadStep("products", 2 * len(self._products), self._load_products),
        ]
        rows = (self._sales.lines + self._sales.baskets * (3 + EVENTS_AN_ORDER)) // max(1, self._sales.baskets)
        for first in range(0, self._sales.baskets, BASKETS_A_STEP):
            count = min(BASKETS_A_STEP, self._sales.baskets - first)
            found.append(LoadStep(f"orders from {first + 1}", count * rows, self._order_loader(first)))
        return [*found, LoadStep("search words", 0, lambda db, seen: db.execute(REBUILD).rowcount)]

    def findings(self) -> Sequence[SourceFinding]:
        """Return what was odd in the source."""
        return [*catalogue.findings(self._products, self._sales), *self._sales.findings()]

    @cached_property
    def _sales(self) -> SalesSummary:
        return tally(self.source.lines())

    @cached_property
    def _products(self) -> Sequence[SourceProduct]:
        described = self.source.products()
        return [*described, *catalogue.unlisted(self._sales, described)]

    @cached_property
    def _titles(self) -> dict[int, str]:
        return {product.id: catalogue.title(product) for product in self._products}

    @cached_property
    def _shelves(self) -> JourneyCategories:
        return arrange(self._products)

    @cached_property
    def _households(self) -> dict[int, int]:
        return {household: number for number, household in enumerate(sorted(self._sales.households), start=1)}

    def _user_rows(self) -> Iterator[Row]:
        for household, number in self._households.items():
            yield (number, _email(household), f"Household {household}", None, "customer", YEAR_BEGINS, YEAR_BEGINS)
        for number, account in enumerate((SHOPPER, ADMIN) if self.demo_accounts else (), len(self._households) + 1):
            known = hash_password(DEMO_PASSWORD)
            yield (number, account.email, account.name, known, account.role, YEAR_BEGINS, YEAR_BEGINS)

    def _load_products(self, connection: Connection, seen: Seen) -> int:
        rows = copy(connection, "products", catalogue.rows(self._products, self._sales, self._shelves), seen)
        return rows + copy(connection, "stock_items", map(self._stock_row, self._products), seen)

    def _stock_row(self, product: SourceProduct) -> Row:
        sold = self._sales.pieces[product.id]
        return (product.id, catalogue.stock(sold), catalogue.stock(sold) + sold)

    @cached_property
    def _reading(self) -> "_BasketReader":
        return _BasketReader(self.source)

    def _order_loader(self, first: int) -> Callable[[Connection, Seen], int]:
        def load(connection: Connection, seen: Seen) -> int:
            random = generator("complete-journey", first)
            rows = OrderRows()
            for order_id, lines in self._reading.baskets(first, BASKETS_A_STEP):
                self._add(rows, order_id, lines, new_public_id(random), new_number(random))
            return sum(copy(connection, table, found, seen) for table, found in rows.tables())

        return load

    def _add(self, rows: OrderRows, order_id: int, lines: Sequence[SourceLine], public_id: str, number: str) -> None:
        head = lines[0]
        readings = [(line.product, read(line.quantity, line.value)) for line in lines]
        kept = [(product, self._titles[product], found.quantity, found.unit_price) for product, found in readings]
        provider_id = f"ch_journey_{order_id}"
        rows.add(
            order_id=order_id,
            public_id=public_id,
            number=number,
            user_id=self._households[head.household],
            email=_email(head.household),
            status="delivered",
            address=_address(head),
            placed_at=head.at,
            lines=kept,
            events=_events(head.at, provider_id),
            payment=("charged", provider_id),
        )


class _BasketReader:
    """Goes through the baskets once from step to step, and starts over only for a step that lies behind it."""

    def __init__(self, source: JourneyFiles) -> None:
        self._source = source
        self._start_over()

    def baskets(self, first: int, count: int) -> Iterator[tuple[int, list[SourceLine]]]:
        """Return the lines of ``count`` baskets after the first ``first``, with the number each order gets."""
        if first < self._passed:
            self._start_over()
        for _ in itertools.islice(self._groups, first - self._passed):
            self._passed += 1
        for _, lines in itertools.islice(self._groups, count):
            self._passed += 1
            yield self._passed, list(lines)

    def _start_over(self) -> None:
        self._groups = itertools.groupby(self._source.lines(), key=lambda line: line.basket)
        self._passed = 0


def _email(household: int) -> str:
    return f"household-{household}@customers.shop.test"


def _address(line: SourceLine) -> dict[str, str]:
    """Say where it was bought: the source knows no addresses."""
    return {
        "name": f"Household {line.household}",
        "line1": f"Bought in store {line.store}",
        "city": "Unknown",
        "postcode": "00000",
        "country": "US",
    }


def _events(at: datetime, provider_id: str) -> list[Event]:
    return [(PaymentCharged(provider_id), at), (OrderShipped(), at), (OrderDelivered(), at)]
