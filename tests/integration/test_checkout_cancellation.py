import uuid

import pytest
from sqlalchemy import func, select, text

from shop.cart.service import CartService
from shop.catalog.models import StockItem
from shop.checkout.details import CheckoutDetails
from shop.checkout.service import EarlierCheckoutPaid
from shop.errors import NotFound, ProviderUnavailable, StateConflict
from shop.orders.models import OrderEventRow
from shop.orders.service import OrderViewer
from shop.orders.transitions import OrderStatus
from shop.payments.http_provider import HttpProvider
from shop.payments.models import Payment
from shop.payments.provider import ChargeSucceeded, ProviderOutcomeUnknown
from tests.support.checkout_processes import DETAILS
from tests.support.guest_carts import guest_with_cart

HURRIED_MS = 1_000
"""A store this impatient gives up before the simulator's silence ends."""


@pytest.fixture
def owner(database, simulator, product_on_shelf):
    """A guest with two of five mugs in the cart."""
    product_on_shelf("mug", on_hand=5)
    return guest_with_cart(database, {"mug": 2})


@pytest.fixture
def store(runtime, owner):
    """The services, with short names for what the tests do."""
    return Store(runtime, owner)


class Store:
    def __init__(self, runtime, owner):
        self.services = runtime.services()
        self.database = runtime.database
        self.key = runtime.settings.payments_api_key
        self.owner = owner

    def submit(self, token="tok_ok", key="the-key"):
        details = CheckoutDetails.model_validate({**DETAILS, "payment": {"token": token}})
        return self.services.checkout.submit(self.owner, key, details).public_id

    def viewer(self):
        return OrderViewer(guest_id=self.owner.guest_cart_id)

    def cancel(self, public_id):
        self.services.cancellation.cancel(self.viewer(), public_id)

    def order(self, public_id):
        return self.services.orders.detail(self.viewer(), public_id).orders[0]

    def only_order(self):
        with self.database.reading() as session:
            return session.scalar(text("SELECT public_id FROM orders"))

    def stock(self):
        with self.database.reading() as session:
            return tuple(session.execute(select(StockItem.on_hand, StockItem.reserved)).one())

    def payment(self):
        with self.database.reading() as session:
            return session.scalar(select(Payment))


def test_a_cancelled_order_is_refunded_and_restocked(store, simulator):
    order = store.submit()
    store.cancel(order)
    assert store.order(order).status is OrderStatus.REFUNDED
    assert [event.type for event in store.order(order).events][-2:] == ["OrderCancelled", "PaymentRefunded"]
    assert store.stock() == (5, 0)
    payment = store.payment()
    assert simulator.charges(payment.charge_key)[0]["refunded"] == payment.amount


def test_cancelling_zero_total_order_makes_no_provider_call(store, simulator):
    public_id = store.submit()
    with store.database.transaction() as session:
        session.execute(text("UPDATE payments SET amount = 0"))
    simulator.kill()
    store.cancel(public_id)
    simulator.start()
    assert store.payment().status == "refunded"


def test_cancelling_twice_gives_the_money_back_once(store, simulator):
    order = store.submit()
    store.cancel(order)
    store.cancel(order)
    payment = store.payment()
    assert simulator.charges(payment.charge_key)[0]["refunded"] == payment.amount
    assert store.stock() == (5, 0)
    with store.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(OrderEventRow)) == 4


def test_a_shipped_order_is_not_cancelled(store):
    order = store.submit()
    store.services.orders.ship(order)
    with pytest.raises(StateConflict, match="shipped"):
        store.cancel(order)
    assert store.stock() == (3, 0)


def test_a_strangers_order_is_not_there_to_be_cancelled(store):
    order = store.submit()
    with pytest.raises(NotFound):
        store.services.cancellation.cancel(OrderViewer(user_id=1, guest_id=uuid.uuid4()), order)
    assert store.order(order).status is OrderStatus.PAID


def test_refund_stays_due_during_outage_until_cancelled_again(store, simulator):
    order = store.submit()
    simulator.kill()
    store.cancel(order)
    assert (store.order(order).status, store.order(order).refund_pending) == (OrderStatus.CANCELLED, True)
    assert store.stock() == (5, 0)
    simulator.start()
    store.cancel(order)
    assert (store.order(order).status, store.order(order).refund_pending) == (OrderStatus.REFUNDED, False)


@pytest.fixture
def unanswered(store, simulator, monkeypatch):
    """An order whose charge nobody knows the end of: no answer came, and the books could not be read."""

    def place(token):
        def nothing(*args):
            raise ProviderOutcomeUnknown("planned")

        hurried = HttpProvider(simulator.url, HURRIED_MS, store.key)
        with monkeypatch.context() as patched:
            patched.setattr(store.services.payments, "provider", hurried)
            patched.setattr(hurried, "find_charge", nothing)
            if token is None:
                patched.setattr(hurried, "charge", nothing)
            with pytest.raises(ProviderUnavailable) as refused:
                store.submit(token or "tok_ok")
        hurried.close()
        assert refused.value.retry_after
        return store.only_order()

    return place


def test_lost_answer_leaves_order_open_and_replay_charges_once(store, unanswered, simulator):
    order = unanswered("tok_timeout_charged")
    assert store.order(order).status is OrderStatus.PENDING_PAYMENT
    assert store.stock() == (5, 2)
    assert store.submit("tok_timeout_charged") == order
    assert store.order(order).status is OrderStatus.PAID
    assert store.stock() == (3, 0)
    assert len(simulator.charges(store.payment().charge_key)) == 1


def test_unreachable_provider_after_lost_answer_leaves_order_open(store, unanswered, simulator):
    order = unanswered("tok_timeout_charged")
    simulator.kill()
    with pytest.raises(ProviderUnavailable):
        store.submit("tok_timeout_charged")
    assert store.order(order).status is OrderStatus.PENDING_PAYMENT
    simulator.start()
    assert store.submit("tok_timeout_charged") == order


def test_silent_charge_is_found_by_one_ledger_lookup(store, simulator, monkeypatch):
    hurried = HttpProvider(simulator.url, HURRIED_MS, store.key)
    monkeypatch.setattr(store.services.payments, "provider", hurried)
    order = store.submit("tok_timeout_charged")
    hurried.close()
    assert store.order(order).status is OrderStatus.PAID


def test_cancelling_open_order_finds_and_refunds_its_charge(store, unanswered, simulator):
    order = unanswered("tok_timeout_charged")
    store.cancel(order)
    assert store.order(order).status is OrderStatus.REFUNDED
    assert store.stock() == (5, 0)
    payment = store.payment()
    assert simulator.charges(payment.charge_key)[0]["refunded"] == payment.amount


def test_cancelling_open_uncharged_order_makes_no_refund(store, unanswered):
    order = unanswered(None)
    store.cancel(order)
    assert (store.order(order).status, store.order(order).refund_pending) == (OrderStatus.CANCELLED, False)
    assert store.payment().status == "abandoned"
    assert store.stock() == (5, 0)


def test_cancelling_open_order_needs_the_provider_ledger(store, unanswered, simulator):
    order = unanswered(None)
    simulator.kill()
    with pytest.raises(ProviderUnavailable):
        store.cancel(order)
    assert store.order(order).status is OrderStatus.PENDING_PAYMENT
    simulator.start()
    store.cancel(order)
    assert store.order(order).status is OrderStatus.CANCELLED


def test_order_with_payment_in_progress_is_not_cancelled(store, monkeypatch):
    tried = []

    def reached(point):
        if point == "answered":
            with pytest.raises(StateConflict):
                store.cancel(store.only_order())
            tried.append(point)

    monkeypatch.setattr(store.services.checkout, "on_recovery_point", reached)
    order = store.submit()
    assert tried
    assert store.order(order).status is OrderStatus.PAID


def test_money_that_comes_after_the_cancellation_goes_back(store, monkeypatch, simulator):
    def reached(point):
        if point == "placed":  # this process stalls until its claim has run out, and the shopper cancels meanwhile
            with store.database.transaction() as session:
                session.execute(text("UPDATE payments SET claimed_until = now() - interval '1 second'"))
            store.cancel(store.only_order())

    monkeypatch.setattr(store.services.checkout, "on_recovery_point", reached)
    with pytest.raises(StateConflict, match="cancelled"):
        store.submit()
    assert store.order(store.only_order()).status is OrderStatus.REFUNDED
    assert store.stock() == (5, 0)
    assert simulator.charges(store.payment().charge_key)[0]["refunded"] == store.payment().amount


def test_charged_is_charged(store):
    store.submit()
    assert isinstance(store.services.payments.find_charge(store.payment().charge_key), ChargeSucceeded)


def test_new_key_after_lost_answer_finds_paid_order(store, unanswered, simulator):
    order = unanswered("tok_timeout_charged")
    details = CheckoutDetails.model_validate(DETAILS)
    assert store.services.checkout.submit(store.owner, "another-key", details) == EarlierCheckoutPaid(order)
    assert store.order(order).status is OrderStatus.PAID
    assert store.stock() == (3, 0)
    with store.database.reading() as session:
        assert CartService.quantities(session, store.owner) == {}
        assert session.scalar(select(func.count()).select_from(Payment)) == 1


def test_new_key_soon_after_lost_answer_gets_503(store, unanswered):
    order = unanswered(None)
    with pytest.raises(ProviderUnavailable):
        store.submit(key="another-key")
    assert store.order(order).status is OrderStatus.PENDING_PAYMENT


def test_new_key_cancels_abandoned_checkout_and_buys(store, unanswered):
    abandoned = unanswered(None)
    with store.database.transaction() as session:
        session.execute(text("UPDATE orders SET created_at = created_at - interval '1 hour'"))
    bought = store.submit(key="another-key")
    assert (store.order(abandoned).status, store.order(bought).status) == (OrderStatus.CANCELLED, OrderStatus.PAID)
    assert store.stock() == (3, 0)


def test_second_tab_cannot_buy_cart_with_payment_in_progress(store, monkeypatch):
    tried = []

    def reached(point):
        if point == "answered" and not tried:
            tried.append(point)
            with pytest.raises(StateConflict):
                store.submit(key="of-the-second-tab")

    monkeypatch.setattr(store.services.checkout, "on_recovery_point", reached)
    order = store.submit()
    assert tried
    assert store.only_order() == order
    assert store.stock() == (3, 0)


def test_key_of_order_cancelled_unpaid_gets_conflict(store, unanswered):
    store.cancel(unanswered(None))
    with pytest.raises(StateConflict, match="nothing was charged"):
        store.submit()


def test_the_story_says_who_cancelled(store):
    order = store.submit()
    store.services.cancellation.cancel(OrderViewer(is_admin=True), order)
    cancelled = next(event for event in store.order(order).events if event.type == "OrderCancelled")
    assert cancelled.data == {"cause": "staff"}
