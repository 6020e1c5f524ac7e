import uuid
from collections import Counter

import pytest
from sqlalchemy import select, text

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.catalog.models import StockItem
from shop.checkout.recovery_points import RecoveryPoint
from shop.orders.models import Order
from shop.payments.models import Payment
from tests.support.checkout_processes import all_at_once, die_at
from tests.support.factories import make_category, make_product


@pytest.fixture
def shelf(database, simulator):
    """Put a product with so many pieces on the shelf."""

    def put(on_hand):
        with database.transaction() as session:
            make_product(session, make_category(session), "last-mug", on_hand=on_hand)

    return put


def guest(database, pieces=1):
    owner = CartOwner(guest_cart_id=uuid.uuid4())
    CartService(database, offers).add(owner, "last-mug", pieces)
    return owner


def books(database):
    with database.reading() as session:
        stock = session.execute(select(StockItem.on_hand, StockItem.reserved)).one()
        orders = Counter(session.scalars(select(Order.status)))
        payments = Counter(session.scalars(select(Payment.status)))
    return tuple(stock), dict(orders), dict(payments)


def let_the_claim_run_out(database):
    with database.transaction() as session:
        session.execute(text("UPDATE payments SET claimed_until = now() - interval '1 second'"))


def test_buyers_racing_for_the_last_pieces_get_exactly_what_there_was(database, settings, shelf):
    shelf(7)
    shoppers = [[(guest(database), f"key-{n}-{m}") for m in range(4)] for n in range(3)]
    ends = Counter(all_at_once(settings, shoppers))
    assert ends == {"PaidOrder": 7, "OutOfStock": 5}
    assert books(database) == ((0, 0), {"paid": 7}, {"charged": 7})


def test_the_same_key_at_the_same_moment_buys_once(database, settings, shelf):
    shelf(20)
    owners = [guest(database) for _ in range(4)]
    attempts = [(owner, "the-key") for owner in owners]
    ends = Counter(all_at_once(settings, [attempts] * 3))
    assert set(ends) <= {"PaidOrder", "StateConflict"}
    assert ends["PaidOrder"] >= 4
    assert books(database) == ((16, 0), {"paid": 4}, {"charged": 4})


def test_one_cart_under_many_keys_at_the_same_moment_is_bought_once(database, settings, shelf):
    shelf(20)
    owner = guest(database, 2)
    ends = Counter(all_at_once(settings, [[(owner, f"key-{n}")] for n in range(3)]))
    assert ends["PaidOrder"] == 1
    assert set(ends) <= {"PaidOrder", "StateConflict", "EarlierCheckoutPaid", "InvalidFields"}
    assert books(database) == ((18, 0), {"paid": 1}, {"charged": 1})


@pytest.mark.parametrize("point", RecoveryPoint)
def test_a_checkout_killed_between_its_phases_is_finished_by_its_replay(
    database, settings, shelf, runtime, simulator, point
):
    shelf(3)
    attempt = (guest(database, 2), "the-key")
    assert die_at(settings, attempt, point) == -9
    let_the_claim_run_out(database)
    assert all_at_once(settings, [[attempt]]) == ["PaidOrder"]
    assert books(database) == ((1, 0), {"paid": 1}, {"charged": 1})
    with database.reading() as session:
        number, left = session.scalar(select(Order.number)), CartService.contents(session, attempt[0])
    assert simulator.charges_of(number) == 1
    assert left == {}


def test_while_a_dead_process_holds_its_claim_others_are_told_to_wait(database, settings, shelf):
    shelf(3)
    attempt = (guest(database), "the-key")
    die_at(settings, attempt, RecoveryPoint.PLACED)
    assert all_at_once(settings, [[attempt]]) == ["StateConflict"]
    assert books(database) == ((3, 1), {"pending_payment": 1}, {"pending": 1})
