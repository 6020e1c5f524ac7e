"""Driver: many shoppers check out at the same time, with too few pieces for all: first of one product, then of several.

A piece is oversold if its sale did not reduce the stock, since it can be sold again. The driver compares the orders
with the stock that the store reports, and the auditor checks the books.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from pydantic import Field

from shop.errors import ConfigurationError
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import AUDIT_S
from shop.lab.drivers.checkouts import CheckoutSample, as_load_samples, check_out_at_rate
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.metrics_client import MetricsClient
from shop.lab.statistics import percentile
from shop.lab.store_client import StoreClient
from shop.lab.strict_model import StrictModel
from shop.patterns.observability.metric_names import DB_RETRIES

SHAPES = ("one", "many")
SERVED_A_S = 12.0
"""About how many shoppers a second the driver sets up, checks out and cancels."""
POPULAR, SEARCHED = 20, 400
"""The sale skips the most popular products, which other drivers use, and searches so many for products without a
mismatch."""


class FlashSaleParams(StrictModel):
    """Parameters of the driver."""

    one: int = Field(default=80, ge=2)
    """Shoppers in the sale of one product."""
    many: int = Field(default=20, ge=2)
    """Shoppers in the sale of several products, one piece each."""
    several: int = Field(default=5, ge=2)
    """Number of products in that sale."""
    share: float = Field(default=0.7, gt=0, le=1)
    """Stock divided by demand."""


class FlashSale:
    """Holds a sale of one product and a sale of several products."""

    params_model = FlashSaleParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        **{
            f"{shape}_{name}": DriverMeasure(f"{label}, {products}", unit)
            for shape, products in zip(SHAPES, ("one product", "many products"), strict=True)
            for name, label, unit in (
                ("orders_rps", "Orders a second", "/s"),
                ("p99_ms", "99th percentile of orders", "ms"),
                ("retries", "Retried transactions an order", ""),
                ("oversold", "Pieces oversold", ""),
            )
        },
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: FlashSaleParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        return (params.one + params.many) / SERVED_A_S + AUDIT_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return nothing to change: a sale ends when everything is sold."""
        return {}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: FlashSaleParams) -> DriverResult:
        """Hold both sales, cancel the orders, and audit the books."""
        store = context.store
        damaged = {word for mismatch in context.books.known_mismatches() for word in mismatch.id.split()}
        slugs = [slug for slug in store.products(SEARCHED)[POPULAR:] if slug not in damaged]
        sales = ((params.one, slugs[:1]), (params.many, slugs[1 : 1 + params.several]))
        measures: dict[str, float | None] = {}
        checkouts: list[CheckoutSample] = []
        with closing(MetricsClient(store)) as metrics:
            for shape, (count, products) in zip(SHAPES, sales, strict=True):
                pieces = max(1, round(count * params.share / len(products)))
                with _stock_of(store, products, pieces), guests_with_carts(store, count, products) as shoppers:
                    stock, retries = sum(map(store.available, products)), metrics.value_of(DB_RETRIES)
                    sale = check_out_at_rate(shoppers, rate=1.0, rush=count)
                    taken = stock - sum(map(store.available, products))
                    retries = metrics.value_of(DB_RETRIES) - retries
                checkouts += sale
                measures |= {f"{shape}_{name}": value for name, value in compute_measures(sale, taken, retries).items()}
        mismatches = context.books.new_mismatches()
        return DriverResult(
            as_load_samples(checkouts, _seconds_of(checkouts)), {**measures, "mismatches": float(len(mismatches))}
        )


def compute_measures(checkouts: Sequence[CheckoutSample], taken: int, retries: float) -> dict[str, float | None]:
    """Return the measures of one sale.

    Args:
        checkouts: the checkout of each shopper.
        taken: the number of pieces by which the stock fell.
        retries: the number of retried transactions.
    """
    orders = [checkout for checkout in checkouts if checkout.order]
    return {
        "orders_rps": len(orders) / _seconds_of(orders) if orders else None,
        "p99_ms": percentile([order.ms for order in orders], 99) if orders else None,
        "retries": retries / len(orders) if orders else None,
        "oversold": float(len(orders) - taken),
    }


def _seconds_of(checkouts: Sequence[CheckoutSample]) -> float:
    """Return the seconds from the first checkout to the last response."""
    return max(checkout.due_s + checkout.ms / 1000 for checkout in checkouts)


@contextmanager
def _stock_of(store: StoreClient, slugs: Sequence[str], pieces: int) -> Iterator[None]:
    """Set the stock of each product, and restore it at the end."""
    before = {slug: store.available(slug) for slug in slugs}
    try:
        for slug in slugs:
            store.update_product(slug, on_hand=pieces)
        yield
    finally:
        for slug, count in before.items():
            with suppress(ConfigurationError):  # the naive strategy may have left more reservations than that stock
                store.update_product(slug, on_hand=count)
