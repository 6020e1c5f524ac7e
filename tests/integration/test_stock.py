import threading
import time

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from shop.catalog.models import StockItem
from shop.catalog.stock import STRATEGIES
from shop.errors import OutOfStock, StateConflict
from tests.support.factories import make_category, make_product

WAIT_S = 10


@pytest.fixture
def product_ids(database):
    """The ids of three products with five pieces each."""
    with database.transaction() as session:
        category = make_category(session)
        return [make_product(session, category, slug, on_hand=5).id for slug in ("mug", "tray", "lamp")]


@pytest.fixture(params=STRATEGIES)
def stock(request):
    """Each stock strategy; without concurrency even the naive one is correct."""
    return STRATEGIES[request.param]()


@pytest.fixture(params=[name for name in STRATEGIES if name != "naive"])
def safe_stock(request):
    """Each strategy that is correct under concurrency."""
    return STRATEGIES[request.param]()


def stock_of(database, product_id):
    with database.reading() as session:
        item = session.get_one(StockItem, product_id)
        return item.on_hand, item.reserved


def change(database, function, quantities):
    with database.transaction() as session:
        return function(session, quantities)


def test_reservation_becomes_sale_and_sale_can_be_returned(database, product_ids, stock):
    mug = product_ids[0]
    change(database, stock.reserve, {mug: 2})
    assert stock_of(database, mug) == (5, 2)
    change(database, stock.sell_reserved, {mug: 2})
    assert stock_of(database, mug) == (3, 0)
    change(database, stock.restock, {mug: 2})
    assert stock_of(database, mug) == (5, 0)


def test_a_released_reservation_leaves_no_trace(database, product_ids, stock):
    change(database, stock.reserve, {product_ids[0]: 2})
    change(database, stock.release, {product_ids[0]: 2})
    assert stock_of(database, product_ids[0]) == (5, 0)


def test_stock_changes_report_sold_out_and_available_again(database, product_ids, stock):
    mug, tray, _ = product_ids
    assert change(database, stock.reserve, {mug: 5, tray: 4}) == {mug}
    assert change(database, stock.release, {mug: 5, tray: 4}) == {mug}
    assert change(database, stock.restock, {mug: 1}) == frozenset()


def test_each_insufficient_product_is_named_and_nothing_reserved(database, product_ids, stock):
    mug, tray, lamp = product_ids
    with pytest.raises(OutOfStock) as refused:
        change(database, stock.reserve, {mug: 6, tray: 1, lamp: 9})
    assert refused.value.errors == {"mug": "5 left", "lamp": "5 left"}
    assert stock_of(database, tray) == (5, 0)


def test_product_without_stock_row_is_out_of_stock(database, product_ids, stock):
    with pytest.raises(OutOfStock):
        change(database, stock.reserve, {999: 1})
    with pytest.raises(StateConflict):
        change(database, stock.restock, {999: 1})


@pytest.mark.parametrize("function", ["release", "sell_reserved"])
def test_constraint_refuses_sale_without_reservation(database, product_ids, safe_stock, function):
    with pytest.raises(IntegrityError):
        change(database, getattr(safe_stock, function), {product_ids[0]: 1})


@pytest.mark.parametrize("function", ["release", "sell_reserved"])
def test_naive_strategy_writes_rows_that_pass_the_constraint(database, product_ids, function):
    change(database, getattr(STRATEGIES["naive"](), function), {product_ids[0]: 1})
    assert stock_of(database, product_ids[0])[1] == 0


def test_products_are_locked_in_id_order_to_prevent_deadlock(database, product_ids, safe_stock):
    first, second, _ = product_ids
    lock = select(StockItem).with_for_update(nowait=True)
    buyer = threading.Thread(target=change, args=(database, safe_stock.reserve, {second: 1, first: 1}))
    with database.transaction() as holder:
        holder.execute(lock.where(StockItem.product_id == first))
        buyer.start()
        _until_a_transaction_waits(database)
        # the buyer waits for the lock on the first product, so it must not have locked the second one
        holder.execute(lock.where(StockItem.product_id == second))
    buyer.join(WAIT_S)
    assert [stock_of(database, product_id)[1] for product_id in (first, second)] == [1, 1]


def _until_a_transaction_waits(database):
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with database.reading() as session:
            if session.scalar(waiting):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")
