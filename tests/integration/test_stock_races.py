"""Stock and its reservations under concurrency, lock timeouts and abandoned checkouts."""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from contextlib import suppress

import pytest
from sqlalchemy import select, text

from shop.app import create_app
from shop.catalog.models import StockItem
from shop.catalog.stock import STRATEGIES, ConditionalStock
from shop.checkout.completer import CompletionRound
from shop.checkout.details import CheckoutDetails
from shop.checkout.payment_reconciler import GIVE_UP_AFTER
from shop.checkout.recovery_points import RecoveryPoint
from shop.orders.models import Order
from shop.switches.registry import SWITCHES
from shop.wiring import build
from tests.support.checkout_processes import DETAILS, check_out_and_die, check_out_concurrently
from tests.support.guest_carts import guest_with_cart

_processes = multiprocessing.get_context("forkserver")
TIMEOUT_S = 60
LOCKED_OUT_S = 0.3
"""A buyer that has not read the row in this time waits for the other buyer's lock."""
SAFE = [name for name in STRATEGIES if name not in SWITCHES["checkout.stock"].unsafe]


@pytest.fixture
def products_on_shelf(product_on_shelf, simulator):
    """Adds products: slug to pieces; returns their ids."""
    return lambda **pieces: [product_on_shelf(slug, on_hand=on_hand).id for slug, on_hand in pieces.items()]


def stock_of(database):
    with database.reading() as session:
        rows = session.execute(select(StockItem.on_hand, StockItem.reserved).order_by(StockItem.product_id))
        return [tuple(row) for row in rows]


def statuses(database):
    with database.reading() as session:
        return dict(Counter(session.scalars(select(Order.status))))


def let_time_pass(database):
    with database.transaction() as session:
        session.execute(text("UPDATE payments SET claimed_until = now() - interval '1 second'"))
        session.execute(text("UPDATE orders SET created_at = created_at - :age"), {"age": GIVE_UP_AFTER})


@pytest.mark.parametrize("strategy", SAFE)
def test_safe_strategies_neither_oversell_nor_lose_pieces(database, settings, runtime, products_on_shelf, strategy):
    runtime.switch_store.set("checkout.stock", strategy)
    products_on_shelf(mug=5, tray=5)
    baskets = [("mug",), ("mug", "tray"), ("tray", "mug"), ("tray",)]
    shoppers = [
        [(guest_with_cart(database, dict.fromkeys(basket, 1)), f"{n}-{m}") for m in range(3)]
        for n, basket in enumerate(baskets)
    ]
    ends = Counter(check_out_concurrently(settings, shoppers, follow_switches=True))
    assert set(ends) <= {"PaidOrder", "OutOfStock", "ServiceUnavailable"}
    with database.reading() as session:
        sold = session.execute(
            text(
                "SELECT coalesce(sum(quantity), 0) FROM stock_items LEFT JOIN (order_lines JOIN orders"
                " ON id = order_id AND status = 'paid') USING (product_id) GROUP BY product_id ORDER BY product_id"
            )
        ).scalars()
        assert stock_of(database) == [(5 - pieces, 0) for pieces in sold]


def test_naive_strategy_loses_a_concurrent_update(database, products_on_shelf):
    (mug,) = products_on_shelf(mug=5)
    _reserve_concurrently(database, STRATEGIES["naive"](), mug)
    assert stock_of(database) == [(5, 1)]  # two reservations were made


@pytest.mark.parametrize("strategy", SAFE)
def test_safe_strategies_lose_no_concurrent_update(database, products_on_shelf, strategy):
    (mug,) = products_on_shelf(mug=5)
    _reserve_concurrently(database, STRATEGIES[strategy](), mug)
    assert stock_of(database) == [(5, 2)]


def test_locked_product_gets_a_response_within_the_timeout(
    database, settings, runtime, products_on_shelf, cache_client
):
    products_on_shelf(mug=5)
    impatient = build(settings.model_copy(update={"db_lock_timeout_ms": 50}))
    client = create_app(impatient).test_client()
    client.post("/api/v1/cart/items", json={"product": "mug"})
    with database.transaction() as holder:
        holder.execute(text("SELECT * FROM stock_items FOR UPDATE"))
        answer = client.post("/api/v1/checkout", json=DETAILS, headers={"Idempotency-Key": "one"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert statuses(database) == {}
    assert client.post("/api/v1/checkout", json=DETAILS, headers={"Idempotency-Key": "one"}).status_code == 201
    impatient.close()


def test_pieces_of_an_unpaid_checkout_return_to_stock(database, settings, runtime, products_on_shelf):
    products_on_shelf(mug=5)
    check_out_and_die(settings, (guest_with_cart(database, {"mug": 1}), "one"), RecoveryPoint.PLACED)
    completer = runtime.services().completer
    assert (completer.run_once(), stock_of(database)) == (CompletionRound(), [(5, 1)])
    let_time_pass(database)
    assert completer.run_once() == CompletionRound(undone=1)
    assert (stock_of(database), statuses(database)) == ([(5, 0)], {"cancelled": 1})
    assert completer.run_once() == CompletionRound()


def test_charged_reservation_becomes_a_sale(database, settings, runtime, products_on_shelf):
    products_on_shelf(mug=5)
    check_out_and_die(settings, (guest_with_cart(database, {"mug": 1}), "one"), RecoveryPoint.ANSWERED)
    let_time_pass(database)
    assert runtime.services().completer.run_once() == CompletionRound(paid=1)
    assert (stock_of(database), statuses(database)) == ([(4, 0)], {"paid": 1})


def test_reservation_stays_while_provider_is_unavailable(database, settings, runtime, products_on_shelf, simulator):
    products_on_shelf(mug=5)
    check_out_and_die(settings, (guest_with_cart(database, {"mug": 1}), "one"), RecoveryPoint.PLACED)
    let_time_pass(database)
    simulator.kill()
    assert runtime.services().completer.run_once() == CompletionRound(left=1)
    assert stock_of(database) == [(5, 1)]


def test_two_completers_at_once_release_each_reservation_once(database, settings, runtime, products_on_shelf):
    products_on_shelf(mug=5)
    for key in ("one", "two", "three"):
        check_out_and_die(settings, (guest_with_cart(database, {"mug": 1}), key), RecoveryPoint.PLACED)
    let_time_pass(database)
    barrier, ends = _processes.Barrier(2), _processes.Queue()
    completers = [_processes.Process(target=_complete, args=(settings, barrier, ends)) for _ in range(2)]
    for completer in completers:
        completer.start()
    assert sum(ends.get(timeout=TIMEOUT_S) for _ in completers) >= 3
    for completer in completers:
        completer.join(TIMEOUT_S)
    assert (stock_of(database), statuses(database)) == ([(5, 0)], {"cancelled": 3})


@pytest.mark.parametrize(
    ("value", "left"), [("on", ({}, [(5, 0)])), ("off", ({"pending_payment": 1}, [(5, 0)]))], ids=["on", "off"]
)
def test_kill_breaks_books_only_without_a_transaction(database, settings, runtime, products_on_shelf, value, left):
    products_on_shelf(mug=5)
    runtime.switch_store.set("checkout.transaction", value)
    process = _processes.Process(
        target=_die_before_stock_is_taken, args=(settings, guest_with_cart(database, {"mug": 1}))
    )
    process.start()
    process.join(TIMEOUT_S)
    assert process.exitcode == -signal.SIGKILL
    assert (statuses(database), stock_of(database)) == left  # without a transaction, an order has no reserved pieces


def _reserve_concurrently(database, stock, product_id):
    """Let two buyers read the row before one of them writes, as far as the strategy allows."""
    both_have_read = threading.Barrier(2)

    class Slow(type(stock)):
        def reserve_one(self, session, product_id, count):
            session.execute = _after(session.execute, both_have_read)
            return super().reserve_one(session, product_id, count)

    slow = Slow()

    def buy():
        database.run_in_transaction(
            lambda session: slow.reserve(session, {product_id: 1}), isolation=slow.isolation, attempts=slow.attempts
        )

    buyers = [threading.Thread(target=buy) for _ in range(2)]
    for buyer in buyers:
        buyer.start()
    for buyer in buyers:
        buyer.join(TIMEOUT_S)


def _after(execute, barrier):
    """Wait after a query for the other buyer's query, or until a lock must have stopped the other buyer."""

    def executed(statement, *arguments, **options):
        result = execute(statement, *arguments, **options)
        if statement.is_select:
            with suppress(threading.BrokenBarrierError):
                barrier.wait(LOCKED_OUT_S)
        return result

    return executed


def _die_before_stock_is_taken(settings, owner):
    runtime = build(settings)
    runtime.switch_poller.refresh()
    checkout = runtime.services().checkout
    ConditionalStock.reserve = lambda stock, session, quantities: os.kill(os.getpid(), signal.SIGKILL)
    checkout.submit(owner, "one", CheckoutDetails.model_validate(DETAILS))


def _complete(settings, barrier, ends):
    runtime = build(settings)
    barrier.wait(TIMEOUT_S)
    found = runtime.services().completer.run_once()
    ends.put(found.undone + found.left)
    runtime.close()
