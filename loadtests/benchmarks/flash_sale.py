"""Five ways of taking stock under a flash sale: orders a second, the slowest hundredth, retries, pieces oversold.

    .venv/bin/python loadtests/benchmarks/flash_sale.py [--rounds N] [--buyers N] [--carts N]

Buyers are processes; each checks out one prepared cart after the other as fast as it can, through the store's own
checkout, with a provider that says yes at once: what is measured is the stock. Demand is twice what there is. "One"
puts the same product into every cart, "many" three of fifty. The ways are measured in turn, the ratio is round by
round.

Promises: no safe way oversells, and ``conditional`` is at least as fast as each other safe one on one product. Exit
code 1 when one is broken.
"""

import argparse
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
from shop.payments.provider import ChargeDeclined, ChargeRequest, ChargeSucceeded
from shop.settings import Settings
from shop.switches.registry import SWITCHES
from shop.wiring import ProcessRuntime, build

PRODUCTS, IN_A_CART = 50, 3
SHAPES = {"one": 1, "many": IN_A_CART}
AT_MOST_S = 8
"""A measurement ends by then, sold out or not."""
NOISE = 0.95
"""A ratio of medians on a shared machine says no more than this."""
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


class YesAtOnce:
    """A provider that takes no time, so that none of it is measured."""

    def charge(self, request: ChargeRequest) -> ChargeSucceeded | ChargeDeclined:
        """Say yes."""
        return ChargeSucceeded(f"ch_{request.key}")

    def find_charge(self, key: str) -> ChargeSucceeded | ChargeDeclined | None:
        """Know nothing."""
        return None

    def refund(self, key: str, provider_id: str, amount: Money) -> None:
        """Give nothing back."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Bought:
    """What one buyer's process did."""

    began: float
    ended: float
    waits_ms: list[float]
    """Of check-outs that ended in an order."""
    retries: int
    refused: int
    busy: int
    """Check-outs that lost every race and were told to come back."""


@dataclass(frozen=True)
class Sale:
    """One measurement."""

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
    parser.add_argument("--carts", type=int, default=800, help="Demand; half of it is on the shelf.")
    asked = parser.parse_args()
    broken = False
    with own_database(PRODUCTS) as settings:
        context = multiprocessing.get_context("spawn")
        with context.Pool(asked.buyers, _open, (settings,)) as pool:
            for shape in SHAPES:
                broken |= _compare(settings, pool, shape, asked)
            pool.close()
            pool.join()
    return int(broken)


def _compare(settings: Settings, pool: Pool, shape: str, asked: argparse.Namespace) -> bool:
    found: dict[str, list[Sale]] = {name: [] for name in STRATEGIES}
    for number in range(asked.rounds):
        names = list(STRATEGIES)
        random.Random(number).shuffle(names)
        for name in names:
            found[name].append(_measure(settings, pool, shape, name, asked))
    _print(shape, found, asked)
    unsafe = SWITCHES["checkout.stock"].unsafe
    safe = {name: sales for name, sales in found.items() if name not in unsafe}
    oversold = any(sale.oversold for sales in safe.values() for sale in sales)
    return oversold | (shape == "one" and _is_beaten(safe))


def _is_beaten(safe: dict[str, list[Sale]]) -> bool:
    speeds = {name: [sale.orders_s for sale in sales] for name, sales in safe.items()}
    ours = speeds.pop("conditional")
    ratios = [
        show(f"one product, conditional beside {name}", "orders/s", {"conditional": ours, name: theirs})
        for name, theirs in speeds.items()
    ]
    return min(ratios) < NOISE


def _print(shape: str, found: dict[str, list[Sale]], asked: argparse.Namespace) -> None:
    print(f"\n{shape}: {asked.buyers} buyers, {asked.carts} carts, {asked.rounds} rounds; medians")
    print(f"  {'':<14}{'orders/s':>10}{'p99 ms':>10}{'retries/order':>15}{'told busy':>11}{'oversold':>10}")
    for name, sales in found.items():
        middle = [
            statistics.median(getattr(sale, field) for sale in sales)
            for field in ("orders_s", "p99_ms", "retries", "busy", "oversold")
        ]
        print("  {:<14}{:>10.1f}{:>10.1f}{:>15.2f}{:>11.0f}{:>10.0f}".format(name, *middle))


def _measure(settings: Settings, pool: Pool, shape: str, strategy: str, asked: argparse.Namespace) -> Sale:
    carts, stock = _prepare(settings, shape, asked.carts)
    shares = [(strategy, carts[number :: asked.buyers]) for number in range(asked.buyers)]
    done = pool.starmap(_buy, shares, chunksize=1)
    waits = sorted(wait for bought in done for wait in bought.waits_ms)
    seconds = max(bought.ended for bought in done) - min(bought.began for bought in done)
    return Sale(
        orders_s=len(waits) / seconds,
        p99_ms=waits[int(len(waits) * 0.99)],
        retries=sum(bought.retries for bought in done) / len(waits),
        busy=sum(bought.busy for bought in done),
        oversold=_oversold(settings, stock),
    )


def _prepare(settings: Settings, shape: str, count: int) -> tuple[list[uuid.UUID], int]:
    """Fill so many carts and put half of what they want on the shelf; return the carts and the pieces of a product."""
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
    """Count pieces that were sold and never left the shelf: there they stand, to be sold again."""
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


def _open(settings: Settings) -> None:
    global _runtime
    _runtime = build(settings, process="buyer")
    _runtime.provider = YesAtOnce()
    _runtime.switch_poller.refresh()


def _buy(strategy: str, carts: Sequence[uuid.UUID]) -> Bought:
    _runtime.switch_store.set("checkout.stock", strategy)
    _runtime.switch_poller.refresh()
    checkout = _runtime.services().checkout
    waits: list[float] = []
    retries = refused = busy = 0
    began = time.time()
    for number, cart in enumerate(carts):
        if time.time() - began > AT_MOST_S:
            break
        seen, before = request_record.begin(), time.perf_counter()
        try:
            result = checkout.submit(CartOwner(guest_cart_id=cart), f"key-{number}", DETAILS)
        except ShopError as refusal:
            busy += refusal.retry_after is not None
            refused += refusal.retry_after is None
        else:
            if isinstance(result, PaidOrder):
                waits.append((time.perf_counter() - before) * 1000)
        retries += seen.retries
    return Bought(began, time.time(), waits, retries, refused, busy)


if __name__ == "__main__":
    sys.exit(main())
