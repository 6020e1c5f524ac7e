"""Processes that check a guest's cart out, move it to an account and check that out, all at once: bought once."""

import contextlib
import multiprocessing
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.checkout.details import CheckoutDetails
from shop.checkout.guest_handover import move_checkout_keys
from shop.errors import InvalidFields, ShopError
from shop.wiring import build
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product, make_user

pytestmark = pytest.mark.xdist_group("handover-races")  # one process, one set of racing processes
ROUNDS, PIECES = 12, 2
SPREAD_S = 0.03
"""A checkout takes about as long, so a log-in falls before, into and behind it."""
TIMEOUT_S = 90
DETAILS_OF_CHECKOUT = CheckoutDetails.model_validate(DETAILS)
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["shop.app"])


@pytest.mark.parametrize("stock", ["conditional", "serializable"])
def test_cart_merged_during_checkout_is_bought_once(runtime, database, simulator, stock):
    runtime.switch_store.set("checkout.stock", stock)
    with database.transaction() as session:
        product_id = make_product(session, make_category(session), "mug", on_hand=1000).id
        user_id = make_user(session).id
    guests = [uuid.uuid4() for _ in range(ROUNDS)]
    carts = CartService(database, offers)
    for guest in guests:
        carts.add(CartOwner(guest_cart_id=guest), "mug", PIECES)
    before = deadlocks(database)
    race(runtime.settings, guests, user_id)
    assert deadlocks(database) == before
    with database.reading() as session:
        paid = session.execute(text("SELECT count(*), count(*) FILTER (WHERE status <> 'paid') FROM orders")).one()
        left = session.scalar(text("SELECT on_hand FROM stock_items WHERE product_id = :id"), {"id": product_id})
        held = session.scalar(text("SELECT count(*) FROM cart_items"))
    assert (tuple(paid), left, held) == ((ROUNDS, 0), 1000 - ROUNDS * PIECES, 0)


@pytest.mark.parametrize("stock", ["conditional", "pessimistic", "serializable", "optimistic"])
def test_checkout_after_login_merge_finds_no_cart(runtime, database, simulator, stock):
    runtime.switch_store.set("checkout.stock", stock)
    runtime.switch_poller.refresh()
    checkout, guest = runtime.services().checkout, uuid.uuid4()
    with database.transaction() as session:
        make_product(session, make_category(session), "mug", on_hand=10)
        user_id = make_user(session).id
    moved, go_on = threading.Event(), threading.Event()

    def stand_still(session, guest_cart_id, user_id):
        move_checkout_keys(session, guest_cart_id, user_id)
        moved.set()
        assert go_on.wait(TIMEOUT_S)

    carts = CartService(database, offers, stand_still)
    carts.add(CartOwner(guest_cart_id=guest), "mug", PIECES)
    with ThreadPoolExecutor(2) as pool:
        signing_in = pool.submit(carts.merge, guest, user_id)
        assert moved.wait(TIMEOUT_S)
        buying = pool.submit(checkout.submit, CartOwner(guest_cart_id=guest), "a-key", DETAILS_OF_CHECKOUT)
        until(lambda: waits_for_its_turn(database))
        go_on.set()
        signing_in.result(TIMEOUT_S)
        with pytest.raises(InvalidFields, match="empty"):
            buying.result(TIMEOUT_S)
    assert checkout.submit(CartOwner(user_id=user_id), "a-key", DETAILS_OF_CHECKOUT).public_id


def waits_for_its_turn(database):
    with database.reading() as session:
        return session.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


def until(holds):
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def deadlocks(database):
    with database.reading() as session:
        return session.scalar(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))


def race(settings, guests, user_id):
    """Let one process buy as each guest, while another signs her in and buys as the account."""
    barrier = _processes.Barrier(2)
    both = [
        _processes.Process(target=_buy_as_guest, args=(settings, guests, barrier)),
        _processes.Process(target=_sign_in_and_buy, args=(settings, guests, user_id, barrier)),
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(TIMEOUT_S)
    assert [process.exitcode for process in both] == [0, 0]


def _buy_as_guest(settings, guests, barrier):
    runtime = build(settings)
    runtime.switch_poller.refresh()
    jitter = random.Random(11)
    for guest in guests:
        barrier.wait(TIMEOUT_S)
        time.sleep(jitter.uniform(0, SPREAD_S / 2))
        _submit(runtime, CartOwner(guest_cart_id=guest), f"key of {guest}")
    barrier.wait(TIMEOUT_S)
    runtime.close()


def _sign_in_and_buy(settings, guests, user_id, barrier):
    runtime = build(settings)
    runtime.switch_poller.refresh()
    account, jitter = CartOwner(user_id=user_id), random.Random(7)
    for guest in guests:
        barrier.wait(TIMEOUT_S)
        time.sleep(jitter.uniform(0, SPREAD_S))
        runtime.services().carts.merge(guest, user_id)
        for key in (f"key of {guest}", f"another of {guest}"):
            _submit(runtime, account, key)
    barrier.wait(TIMEOUT_S)
    runtime.close()


def _submit(runtime, owner, key):
    with contextlib.suppress(ShopError):
        runtime.services().checkout.submit(owner, key, DETAILS_OF_CHECKOUT)
