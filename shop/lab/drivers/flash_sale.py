"""A crowd comes at once for less than it wants: all for one product, then for many. Who got one, and what is left?

Pieces that were sold and never left the shelf are oversold: they stand there to be sold again. The store is asked for
what it sold and for what it says is left, and the auditor for what it makes of that.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from pydantic import Field

from shop.errors import ConfigurationError
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import AuditorMismatch, audit_mismatches
from shop.lab.drivers.checkouts import CheckoutSample, as_load_samples, check_out_at_rate
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.metrics_client import MetricsClient
from shop.lab.statistics import percentile
from shop.lab.store_client import StoreClient
from shop.lab.strict_model import StrictModel
from shop.patterns.observability.metric_names import DB_RETRIES

SHAPES = ("one", "many")
SERVED_A_S, AUDIT_S = 15.0, 3.0
"""Carts filled, checked out and sent back a second, about; what the auditor takes."""
POPULAR, SEARCHED = 20, 400
"""The most popular products are left to others' shoppers; as many are looked through for such as are in order."""


class FlashSaleParams(StrictModel):
    """What is told of the crowd."""

    one: int = Field(default=80, ge=2)
    """Shoppers who want a piece of one product."""
    many: int = Field(default=20, ge=2)
    """Shoppers who each want a piece of one of several."""
    several: int = Field(default=5, ge=2)
    """How many those are."""
    share: float = Field(default=0.7, gt=0, le=1)
    """Of what is wanted, that there is."""


class FlashSale:
    """Holds two sales."""

    params_model = FlashSaleParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        **{
            f"{shape}_{name}": DriverMeasure(f"{words}, {of}", unit)
            for shape, of in zip(SHAPES, ("one product", "many products"), strict=True)
            for name, words, unit in (
                ("orders_rps", "Orders a second", "/s"),
                ("p99_ms", "99th percentile of those", "ms"),
                ("retries", "Transactions run again, an order", ""),
                ("oversold", "Pieces sold and still on the shelf", ""),
            )
        },
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def __init__(self) -> None:
        self._known: dict[str, frozenset[AuditorMismatch]] = {}

    def expected_seconds(self, params: FlashSaleParams, phases: PhaseLengths) -> float:
        """Return how long an arm takes, about."""
        return (params.one + params.many) / SERVED_A_S + AUDIT_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Change nothing: a sale is over when everything is sold."""
        return {}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: FlashSaleParams) -> DriverResult:
        """Hold both sales, undo the orders, and check the books."""
        store = context.store
        # What one arm left behind is where the next one begins: nothing happens in between, and an audit takes seconds.
        before = self._known[store.base_url] if store.base_url in self._known else audit_mismatches()
        wrong = {word for one in before for word in one.id.split()}
        slugs = [slug for slug in store.products(SEARCHED)[POPULAR:] if slug not in wrong]
        measures: dict[str, float | None] = {}
        every: list[CheckoutSample] = []
        with closing(MetricsClient(store)) as meters:
            sales = ((params.one, slugs[:1]), (params.many, slugs[1 : 1 + params.several]))
            for shape, (shoppers, products) in zip(SHAPES, sales, strict=True):
                bought, gone, retries = _sale(store, meters, products, shoppers, params.share)
                every += bought
                found = compute_measures(bought, gone, retries)
                measures |= {f"{shape}_{name}": value for name, value in found.items()}
        after = self._known[store.base_url] = audit_mismatches()
        return DriverResult(
            as_load_samples(every, _ended(every)), {**measures, "mismatches": float(len(after - before))}
        )


def compute_measures(bought: Sequence[CheckoutSample], gone: int, retries: float) -> dict[str, float | None]:
    """Return the measures of one sale.

    Args:
        bought: what each shopper came to.
        gone: pieces that have left the shelf.
        retries: transactions that were run again.
    """
    orders = [one for one in bought if one.order]
    return {
        "orders_rps": len(orders) / _ended(orders) if orders else None,
        "p99_ms": percentile([one.ms for one in orders], 99) if orders else None,
        "retries": retries / len(orders) if orders else None,
        "oversold": float(len(orders) - gone),
    }


def _ended(bought: Sequence[CheckoutSample]) -> float:
    """Return when the last of them was answered, in seconds after the first came."""
    return max(one.due_s + one.ms / 1000 for one in bought)


def _sale(
    store: StoreClient, meters: MetricsClient, slugs: Sequence[str], count: int, share: float
) -> tuple[list[CheckoutSample], int, float]:
    """Hold a sale; return what became of each shopper, the pieces that have gone, and the transactions run again."""
    each = max(1, round(count * share / len(slugs)))
    with _stocked(store, slugs, each), guests_with_carts(store, count, slugs) as shoppers:
        stock, before = sum(map(store.available, slugs)), meters.value_of(DB_RETRIES)
        bought = check_out_at_rate(shoppers, rate=1.0, rush=count)
        return bought, stock - sum(map(store.available, slugs)), meters.value_of(DB_RETRIES) - before


@contextmanager
def _stocked(store: StoreClient, slugs: Sequence[str], each: int) -> Iterator[None]:
    """Put so many pieces of each product on the shelf, and at the end as many as there were."""
    before = {slug: store.available(slug) for slug in slugs}
    try:
        for slug in slugs:
            store.update_product(slug, on_hand=each)
        yield
    finally:
        for slug, count in before.items():
            with suppress(ConfigurationError):  # more is promised than that, to nobody: the naive way was here
                store.update_product(slug, on_hand=count)
