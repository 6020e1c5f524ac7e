from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from shop.checkout.completer import CompletionRound
from shop.checkout.details import CheckoutDetails
from shop.checkout.payment_reconciler import GIVE_UP_AFTER
from shop.checkout.recovery_points import RecoveryPoint
from shop.clock import SystemClock
from shop.errors import ProviderUnavailable
from shop.orders.events import CancellationCause
from shop.orders.models import Order
from shop.orders.order_state import CancelOrder
from shop.orders.order_stream import OrderStreams
from shop.orders.projection import InlineProjection
from shop.payments.models import Payment
from shop.wiring import build
from tests.support.checkout_processes import DETAILS, check_out_and_die, complete_concurrently
from tests.support.checkout_records import age_orders, expire_payment_claims, stock_orders_payments
from tests.support.guest_carts import guest_with_cart


@pytest.fixture
def completer(runtime):
    return runtime.services().completer


def test_completer_pays_checkout_killed_after_charge(database, settings, last_mugs, simulator, completer):
    check_out_and_die(settings, (guest_with_cart(database, {"last-mug": 2}), "the-key"), RecoveryPoint.ANSWERED)
    expire_payment_claims(database)
    assert completer.run_once() == CompletionRound(paid=1)
    assert stock_orders_payments(database) == ((7, 0), {"paid": 1}, {"charged": 1})
    with database.reading() as session:
        assert simulator.charges_of(session.scalar(select(Order.number))) == 1


def test_completer_cancels_old_checkout_killed_before_charge(database, settings, last_mugs, completer):
    check_out_and_die(settings, (guest_with_cart(database, {"last-mug": 2}), "the-key"), RecoveryPoint.PLACED)
    expire_payment_claims(database)
    assert completer.run_once() == CompletionRound(left=1)
    assert stock_orders_payments(database) == ((9, 2), {"pending_payment": 1}, {"pending": 1})
    expire_payment_claims(database)
    age_orders(database, GIVE_UP_AFTER)
    assert completer.run_once() == CompletionRound(undone=1)
    assert stock_orders_payments(database) == ((9, 0), {"cancelled": 1}, {"abandoned": 1})


@pytest.fixture(params=[timedelta(minutes=10), -timedelta(minutes=10)], ids=["ahead", "behind"])
def elsewhere(request, settings, database, cache_client, monkeypatch):
    """What runs on a machine whose clock is off, whichever way a module asks for the time."""

    class Elsewhere(SystemClock):
        def now(self):
            return super().now() + request.param

    class Off(datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + request.param

    for module in ("completer", "phases", "payment_reconciler", "service"):
        monkeypatch.setattr(f"shop.checkout.{module}.datetime", Off, raising=False)
    runtime = build(settings, Elsewhere())
    yield runtime.services()
    runtime.close()


def test_order_age_follows_database_clock(database, settings, last_mugs, elsewhere):
    """Orders bear the moment of the database's clock, and this machine's may be a minute off."""
    check_out_and_die(settings, (guest_with_cart(database, {"last-mug": 2}), "the-key"), RecoveryPoint.PLACED)
    expire_payment_claims(database)
    assert elsewhere.completer.run_once() == CompletionRound(left=1)
    expire_payment_claims(database)
    age_orders(database, GIVE_UP_AFTER)
    assert elsewhere.completer.run_once() == CompletionRound(undone=1)


def test_nor_does_it_for_a_shopper_who_begins_anew(database, settings, last_mugs, elsewhere):
    owner = guest_with_cart(database, {"last-mug": 2})
    check_out_and_die(settings, (owner, "the-key"), RecoveryPoint.PLACED)
    expire_payment_claims(database)
    with pytest.raises(ProviderUnavailable):  # a charge may still be on its way
        elsewhere.checkout.submit(owner, "another-key", CheckoutDetails.model_validate(DETAILS))
    assert stock_orders_payments(database)[1] == {"pending_payment": 1}
    expire_payment_claims(database)
    age_orders(database, GIVE_UP_AFTER)
    elsewhere.checkout.submit(owner, "another-key", CheckoutDetails.model_validate(DETAILS))
    assert stock_orders_payments(database)[1] == {"cancelled": 1, "paid": 1}


def test_completer_skips_claimed_payment(database, settings, last_mugs, completer):
    check_out_and_die(settings, (guest_with_cart(database, {"last-mug": 2}), "the-key"), RecoveryPoint.ANSWERED)
    assert completer.run_once() == CompletionRound()
    assert stock_orders_payments(database)[1] == {"pending_payment": 1}


def test_while_the_provider_is_away_nothing_is_decided(database, settings, last_mugs, simulator, completer):
    check_out_and_die(settings, (guest_with_cart(database, {"last-mug": 2}), "the-key"), RecoveryPoint.ANSWERED)
    expire_payment_claims(database)
    age_orders(database, GIVE_UP_AFTER)
    simulator.kill()
    assert completer.run_once() == CompletionRound(left=1)
    simulator.start()
    expire_payment_claims(database)
    assert completer.run_once() == CompletionRound(paid=1)


def test_a_refund_that_is_owed_is_made_and_made_once(database, settings, last_mugs, simulator, completer, client):
    check_out_and_die(settings, (guest_with_cart(database, {"last-mug": 2}), "the-key"), RecoveryPoint.SETTLED)
    with database.transaction() as session:
        order = session.scalars(select(Order)).one()
        payment = session.scalars(select(Payment)).one()
        OrderStreams(InlineProjection()).change(session, order, CancelOrder(CancellationCause.CUSTOMER))
        payment.status = "refund_pending"
        charge_key = payment.charge_key
    assert completer.run_once() == CompletionRound(refunded=1)
    assert completer.run_once() == CompletionRound()
    assert stock_orders_payments(database)[1:] == ({"refunded": 1}, {"refunded": 1})
    assert simulator.charges(charge_key)[0]["refunded"] == simulator.charges(charge_key)[0]["amount"]


def test_two_completers_at_once_settle_each_order_once(database, settings, last_mugs, simulator):
    for n in range(3):
        check_out_and_die(settings, (guest_with_cart(database, {"last-mug": 1}), f"key-{n}"), RecoveryPoint.ANSWERED)
    expire_payment_claims(database)
    ends = complete_concurrently(settings, 3)
    assert {end.undone + end.refunded for end in ends} == {0}
    assert sum(end.paid for end in ends) >= 3
    assert stock_orders_payments(database) == ((6, 0), {"paid": 3}, {"charged": 3})
