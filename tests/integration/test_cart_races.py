"""Concurrent changes of one cart by tabs, log-ins and a checkout lose nothing and double nothing."""

import multiprocessing
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import pytest

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.database.engine import build_engine
from shop.database.transactions import Database
from tests.support.factories import make_category, make_product, make_user

pytestmark = pytest.mark.xdist_group("cart-races")  # one process, one set of racing processes
TABS = 8
PROCESSES = 2


@pytest.fixture
def carts(database):
    with database.transaction() as session:
        category = make_category(session)
        make_product(session, category, "mug")
        make_product(session, category, "pot")
        make_user(session)
    return CartService(database, offers)


@pytest.fixture
def user_id():
    return 1  # each test starts with empty tables and restarted sequences


def quantities_of(carts, owner):
    return {line.slug: line.quantity for line in carts.view(owner).lines}


def in_threads(work, calls):
    with ThreadPoolExecutor(calls) as pool:
        return [future.result() for future in [pool.submit(work) for _ in range(calls)]]


@pytest.fixture(scope="module")
def in_processes(settings):
    """Runs ``work(carts)`` in several processes at once, each with its own connections."""
    context = multiprocessing.get_context("spawn")  # fresh interpreters: an engine must not cross a fork
    with ProcessPoolExecutor(PROCESSES, context, _join, (context.Barrier(PROCESSES), settings)) as pool:
        yield lambda work: [future.result() for future in [pool.submit(_after_barrier, work) for _ in range(PROCESSES)]]


def _join(barrier, settings):
    global _barrier, _carts
    _barrier, _carts = barrier, CartService(Database(build_engine(settings)), offers)


def _after_barrier(work):
    _carts.count_and_total(CartOwner(guest_cart_id=uuid.uuid4()))  # connect before the start, not in the race
    _barrier.wait(60)
    return work(_carts)


def _add(owner, carts):
    for _ in range(5):
        carts.add(owner, "mug", 1)


def _merge(guest_cart_id, user_id, carts):
    return carts.merge(guest_cart_id, user_id)


@pytest.mark.parametrize("of", ["guest", "account"])
def test_concurrent_tabs_lose_no_addition(carts, user_id, of):
    owner = CartOwner(user_id=user_id) if of == "account" else CartOwner(guest_cart_id=uuid.uuid4())
    in_threads(lambda: carts.add(owner, "mug", 1), TABS)
    assert quantities_of(carts, owner) == {"mug": TABS}


def test_concurrent_processes_lose_no_addition(carts, in_processes, user_id):
    in_processes(partial(_add, CartOwner(user_id=user_id)))
    assert quantities_of(carts, CartOwner(user_id=user_id)) == {"mug": 5 * PROCESSES}


def test_concurrent_merges_in_processes_move_a_cart_once(carts, in_processes, user_id):
    guest = CartOwner(guest_cart_id=uuid.uuid4())
    carts.add(guest, "mug", 3)
    carts.add(guest, "pot", 1)
    carts.add(CartOwner(user_id=user_id), "mug", 1)
    notes = in_processes(partial(_merge, guest.guest_cart_id, user_id))
    assert sorted(notes, key=str) == ["4 items from your guest cart were added.", None]
    assert quantities_of(carts, CartOwner(user_id=user_id)) == {"mug": 4, "pot": 1}


def test_two_guest_carts_of_one_person_merge_into_one(carts, user_id):
    guests = [CartOwner(guest_cart_id=uuid.uuid4()) for _ in range(TABS)]
    for guest in guests:
        carts.add(guest, "mug", 1)
    waiting = list(guests)
    in_threads(lambda: carts.merge(waiting.pop().guest_cart_id, user_id), TABS)
    assert quantities_of(carts, CartOwner(user_id=user_id)) == {"mug": TABS}


def test_addition_during_merge_is_in_one_of_the_two_carts(carts, user_id):
    for _ in range(10):
        guest, account = CartOwner(guest_cart_id=uuid.uuid4()), CartOwner(user_id=user_id)
        carts.add(guest, "mug", 1)
        with ThreadPoolExecutor(2) as pool:
            moved = pool.submit(carts.merge, guest.guest_cart_id, user_id)
            pool.submit(carts.add, guest, "mug", 1).result()
            moved.result()
        assert quantities_of(carts, guest).get("mug", 0) + quantities_of(carts, account).get("mug", 0) == 2
        carts.remove(account, "mug")


def test_a_merge_that_fails_half_way_moves_nothing(carts, database, user_id):
    guest = CartOwner(guest_cart_id=uuid.uuid4())
    carts.add(guest, "mug", 3)
    with database.transaction() as session:
        session.connection().exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
            "CREATE TRIGGER refuse BEFORE DELETE ON carts FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    try:
        with pytest.raises(Exception, match="no"):
            carts.merge(guest.guest_cart_id, user_id)
    finally:
        with database.transaction() as session:
            session.connection().exec_driver_sql("DROP TRIGGER refuse ON carts; DROP FUNCTION refuse()")
    assert quantities_of(carts, guest) == {"mug": 3}
    assert quantities_of(carts, CartOwner(user_id=user_id)) == {}


def test_checkout_and_addition_serialize_on_the_cart(carts, database, user_id):
    owner = CartOwner(user_id=user_id)
    carts.add(owner, "mug", 3)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            carts.remove_bought(session, owner, carts.quantities(session, owner))
            tab = pool.submit(carts.add, owner, "mug", 1)
        tab.result()
    assert quantities_of(carts, owner) == {"mug": 1}
