from collections import Counter

import pytest
from sqlalchemy import select

from shop.cart.service import CartService
from shop.checkout.recovery_points import RecoveryPoint
from shop.orders.models import Order
from tests.support.checkout_processes import check_out_and_die, check_out_concurrently
from tests.support.checkout_records import expire_payment_claims, stock_orders_payments
from tests.support.guest_carts import guest_with_cart

pytestmark = pytest.mark.usefixtures("simulator")


def test_racing_buyers_get_exactly_the_available_stock(database, settings, product_on_shelf):
    product_on_shelf("last-mug", on_hand=7)
    shoppers = [[(guest_with_cart(database, {"last-mug": 1}), f"key-{n}-{m}") for m in range(4)] for n in range(3)]
    ends = Counter(check_out_concurrently(settings, shoppers))
    assert ends == {"PaidOrder": 7, "OutOfStock": 5}
    assert stock_orders_payments(database) == ((0, 0), {"paid": 7}, {"charged": 7})


def test_the_same_key_at_the_same_moment_buys_once(database, settings, product_on_shelf):
    product_on_shelf("last-mug", on_hand=20)
    owners = [guest_with_cart(database, {"last-mug": 1}) for _ in range(4)]
    attempts = [(owner, "the-key") for owner in owners]
    ends = Counter(check_out_concurrently(settings, [attempts] * 3))
    assert set(ends) <= {"PaidOrder", "StateConflict"}
    assert ends["PaidOrder"] >= 4
    assert stock_orders_payments(database) == ((16, 0), {"paid": 4}, {"charged": 4})


def test_concurrent_checkouts_of_one_cart_buy_it_once(database, settings, product_on_shelf):
    product_on_shelf("last-mug", on_hand=20)
    owner = guest_with_cart(database, {"last-mug": 2})
    ends = Counter(check_out_concurrently(settings, [[(owner, f"key-{n}")] for n in range(3)]))
    assert ends["PaidOrder"] == 1
    assert set(ends) <= {"PaidOrder", "StateConflict", "EarlierCheckoutPaid", "InvalidFields"}
    assert stock_orders_payments(database) == ((18, 0), {"paid": 1}, {"charged": 1})


@pytest.mark.parametrize("point", RecoveryPoint)
def test_replay_finishes_checkout_killed_between_phases(
    database, settings, product_on_shelf, runtime, simulator, point
):
    product_on_shelf("last-mug", on_hand=3)
    attempt = (guest_with_cart(database, {"last-mug": 2}), "the-key")
    assert check_out_and_die(settings, attempt, point) == -9
    expire_payment_claims(database)
    assert check_out_concurrently(settings, [[attempt]]) == ["PaidOrder"]
    assert stock_orders_payments(database) == ((1, 0), {"paid": 1}, {"charged": 1})
    with database.reading() as session:
        number, left = session.scalar(select(Order.number)), CartService.quantities(session, attempt[0])
    assert simulator.charges_of(number) == 1
    assert left == {}


def test_claim_of_dead_process_makes_others_wait(database, settings, product_on_shelf):
    product_on_shelf("last-mug", on_hand=3)
    attempt = (guest_with_cart(database, {"last-mug": 1}), "the-key")
    check_out_and_die(settings, attempt, RecoveryPoint.PLACED)
    assert check_out_concurrently(settings, [[attempt]]) == ["StateConflict"]
    assert stock_orders_payments(database) == ((3, 1), {"pending_payment": 1}, {"pending": 1})
