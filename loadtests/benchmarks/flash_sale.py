"""Five stock strategies in a flash sale: orders a second, 99th percentile, retries, oversold pieces.

    .venv/bin/python loadtests/benchmarks/flash_sale.py [--rounds N] [--buyers N] [--carts N]

Each buyer is a process that checks out prepared carts at full speed, one after the other, through the store's own
checkout. The provider accepts every charge at once, so the benchmark measures the stock. Demand is twice the stock.
"One" puts the same product into every cart, "many" puts three of fifty products. The strategies are measured in turn,
and the ratio is computed for each round.

Promises: no safe strategy oversells, and for one product ``conditional`` is at least as fast as each other safe
strategy. Exit code 1 if one is broken.
"""

import argparse
import math
import multiprocessing
import random
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import Pool

from arms import show
from own_database import own_database
from sqlalchemy import text

from shop.cart.service import CartOwner
from shop.catalog.stock import STRATEGIES
from shop.checkout.details import CheckoutDetails
from shop.checkout.service import PaidOrder
from shop.database.engine import build_engine
from shop.errors import ShopError
from shop.money import Money
from shop.patterns.observability import request_record
from shop.payments.provider import ChargeDeclined, ChargeRequest, ChargeSucceeded, ListedCharge
from shop.settings import Settings
from shop.switches.registry import SWITCHES
from shop.wiring import ProcessRuntime, build

PRODUCTS, IN_A_CART = 50, 3
SHAPES = {"one": 1, "many": IN_A_CART}
LEAST_CARTS = math.ceil(2 * PRODUCTS / IN_A_CART)
"""With fewer carts, half of the demand for each of the products is less than a piece."""
AT_MOST_S = 8
"""Time limit of a measurement, also if not everything is sold."""
NOISE = 0.95
"""A ratio of medians on a shared machine is not more precise than this."""
DETAILS = CheckoutDetails.model_validate(
    {
        "email": "robin@example.org",
        "address": {
            "name": "Robin",
            "line1": "Lindenweg 4",
            "city": "Berlin",
            "postcode": "10115",
            "country": "DE",
        },
        "payment": {"token": "tok_ok"},
    }
)


class InstantProvider:
    """A provider that takes no time, so the figures do not include it."""

    def charge(self, request: ChargeRequest) -> ChargeSucceeded | ChargeDeclined:
        """Accept the charge."""
        return ChargeSucceeded(f"ch_{request.key}")

    def find_charge(self, key: str) -> ChargeSucceeded | ChargeDeclined | None:
        """Return no charge."""
        return None

    def refund(self, key: str, provider_id: str, amount: Money) -> None:
        """Refund nothing."""

    def list_charges(self, after: str = "") -> Sequence[ListedCharge]:
        """Return no charge."""
        return ()

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class BuyerResult:
    """The checkouts of one buyer's process."""

    began: float
    ended: float
    waits_ms: list[float]
    """Latency of each checkout that placed an order."""
    retries: int
    refused: int
    busy: int
    """Checkouts that lost every retry and got the answer "try again"."""


@dataclass(frozen=True)
class SaleFigures:
    """The figures of one sale."""

    orders_s: float
    p99_ms: float
    retries: float
    busy: float
    oversold: int


_runtime: ProcessRuntime


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--buyers", type=int, default=8)
    parser.add_argument("--carts", type=int, default=800, help="Demand; the stock is half of it.")
    arguments = parser.parse_args()
    if arguments.carts < LEAST_CARTS:
        parser.error(f"--carts must be at least {LEAST_CARTS}, so that there is stock of each product")
    broken = False
    with own_database(PRODUCTS) as settings:
        context = multiprocessing.get_context("spawn")
        with context.Pool(arguments.buyers, _start_buyer, (settings,)) as pool:
            for shape in SHAPES:
                broken |= _compare(settings, pool, shape, arguments)
            pool.close()
            pool.join()
    return int(broken)


def _compare(settings: Settings, pool: Pool, shape: str, arguments: argparse.Namespace) -> bool:
    sales_by_strategy: dict[str, list[SaleFigures]] = {name: [] for name in STRATEGIES}
    for number in range(arguments.rounds):
        names = list(STRATEGIES)
        random.Random(number).shuffle(names)
        for name in names:
            sales_by_strategy[name].append(_measure(settings, pool, shape, name, arguments))
    _print(shape, sales_by_strategy, arguments)
    unsafe = SWITCHES["checkout.stock"].unsafe
    safe = {name: sales for name, sales in sales_by_strategy.items() if name not in unsafe}
    oversold = any(sale.oversold for sales in safe.values() for sale in sales)
    return oversold | (shape == "one" and _is_slower_than_another(safe))


def _is_slower_than_another(safe: dict[str, list[SaleFigures]]) -> bool:
    speeds = {name: [sale.orders_s for sale in sales] for name, sales in safe.items()}
    ours = speeds.pop("conditional")
    ratios = [
        show(f"one product, conditional beside {name}", "orders/s", {"conditional": ours, name: theirs})
        for name, theirs in speeds.items()
    ]
    return min(ratios) < NOISE


def _print(shape: str, sales_by_strategy: dict[str, list[SaleFigures]], arguments: argparse.Namespace) -> None:
    print(f"\n{shape}: {arguments.buyers} buyers, {arguments.carts} carts, {arguments.rounds} rounds; medians")
    print(f"  {'':<14}{'orders/s':>10}{'p99 ms':>10}{'retries/order':>15}{'busy':>11}{'oversold':>10}")
    for name, sales in sales_by_strategy.items():
        medians = [
            statistics.median(getattr(sale, field) for sale in sales)
            for field in ("orders_s", "p99_ms", "retries", "busy", "oversold")
        ]
        print("  {:<14}{:>10.1f}{:>10.1f}{:>15.2f}{:>11.0f}{:>10.0f}".format(name, *medians))


def _measure(settings: Settings, pool: Pool, shape: str, strategy: str, arguments: argparse.Namespace) -> SaleFigures:
    carts, stock = _prepare(settings, shape, arguments.carts)
    shares = [(strategy, carts[number :: arguments.buyers]) for number in range(arguments.buyers)]
    buyers = pool.starmap(_buy, shares, chunksize=1)
    waits = sorted(wait for buyer in buyers for wait in buyer.waits_ms)
    seconds = max(buyer.ended for buyer in buyers) - min(buyer.began for buyer in buyers)
    return SaleFigures(
        orders_s=len(waits) / seconds,
        p99_ms=waits[int(len(waits) * 0.99)],
        retries=sum(buyer.retries for buyer in buyers) / len(waits),
        busy=sum(buyer.busy for buyer in buyers),
        oversold=_oversold(settings, stock),
    )


def _prepare(settings: Settings, shape: str, count: int) -> tuple[list[uuid.UUID], int]:
    """Fill so many carts and set the stock to half of the demand; return the carts and the stock of a product."""
    in_a_cart, products = SHAPES[shape], 1 if shape == "one" else PRODUCTS
    stock = count * in_a_cart // products // 2
    carts = [uuid.uuid4() for _ in range(count)]
    engine = build_engine(settings)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE orders, order_lines, order_events, payments, carts, cart_items CASCADE"))
        connection.execute(
            text("UPDATE stock_items SET reserved = 0, on_hand = CASE WHEN product_id <= :n THEN :stock ELSE 0 END"),
            {"n": products, "stock": stock},
        )
        connection.execute(text("INSERT INTO carts (id) SELECT unnest(CAST(:ids AS uuid[]))"), {"ids": carts})
        connection.execute(
            text(
                "INSERT INTO cart_items (cart_id, product_id, quantity, seen_price_amount)"
                " SELECT id, 1 + (hashtextextended(id::text, part) & 1048575) % :products, 1, 1000"
                " FROM carts, generate_series(1, :parts) part ON CONFLICT DO NOTHING"
            ),
            {"products": products, "parts": in_a_cart},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) stock_items, carts, cart_items"))
    engine.dispose()
    return carts, stock


def _oversold(settings: Settings, stock: int) -> int:
    """Count the pieces whose sale did not reduce the stock, so that they can be sold again."""
    engine = build_engine(settings)
    with engine.connect() as connection:
        sold = connection.execute(
            text(
                "SELECT sum(quantity) AS pieces, min(on_hand) AS on_hand FROM orders"
                " JOIN order_lines ON id = order_id JOIN stock_items USING (product_id)"
                " WHERE status = 'paid' GROUP BY product_id"
            )
        ).all()
    engine.dispose()
    return sum(int(row.pieces) - (stock - row.on_hand) for row in sold)


def _start_buyer(settings: Settings) -> None:
    global _runtime
    _runtime = build(settings, process="buyer")
    _runtime.provider = InstantProvider()
    _runtime.switch_poller.refresh()


def _buy(strategy: str, carts: Sequence[uuid.UUID]) -> BuyerResult:
    _runtime.switch_store.set("checkout.stock", strategy)
    _runtime.switch_poller.refresh()
    checkout = _runtime.services().checkout
    waits: list[float] = []
    retries = refused = busy = 0
    began = time.time()
    for number, cart in enumerate(carts):
        if time.time() - began > AT_MOST_S:
            break
        record, before = request_record.begin(), time.perf_counter()
        try:
            result = checkout.submit(CartOwner(guest_cart_id=cart), f"key-{number}", DETAILS)
        except ShopError as refusal:
            busy += refusal.retry_after is not None
            refused += refusal.retry_after is None
        else:
            if isinstance(result, PaidOrder):
                waits.append((time.perf_counter() - before) * 1000)
        retries += record.retries
    return BuyerResult(began, time.time(), waits, retries, refused, busy)


if __name__ == "__main__":
    sys.exit(main())
