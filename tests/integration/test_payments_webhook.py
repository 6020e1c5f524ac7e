"""Messages of the provider: forged, twice, never, in any order, and to the same end as its answers."""

import time
import uuid

import pytest
from sqlalchemy import select, text

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.catalog.models import StockItem
from shop.checkout.details import CheckoutDetails
from shop.checkout.recovery_points import RecoveryPoint
from shop.checkout.service import DeclinedCheckout, PaidOrder
from shop.errors import ProviderUnavailable
from shop.orders import order_stream
from shop.orders.events import CancellationCause
from shop.orders.models import Order, OrderEventRow
from shop.orders.service import OrderViewer
from shop.payments.models import Payment
from shop.payments.provider import ProviderOutcomeUnknown
from shop.reconciliation.audit import audit
from tests.support.checkout_processes import DETAILS, check_out_and_die, receive_webhooks_concurrently
from tests.support.factories import make_category, make_product
from tests.support.polling import until
from tests.support.web_server import WebServer
from tests.support.webhook_messages import PATH, post_webhook, signed_headers, webhook_body


@pytest.fixture
def store(runtime, client, simulator):
    return Store(runtime, client, simulator)


class Store:
    """A shopper with two mugs in her cart, and what became of them."""

    def __init__(self, runtime, client, simulator):
        self.runtime, self.client, self.simulator = runtime, client, simulator
        self.services, self.database = runtime.services(), runtime.database
        with self.database.transaction() as session:
            make_product(session, make_category(session), "mug", on_hand=5)
        self.owner = CartOwner(guest_cart_id=uuid.uuid4())
        self.fill()

    def fill(self):
        CartService(self.database, offers).add(self.owner, "mug", 2)

    def submit(self, token="tok_ok", key="the-key"):
        details = CheckoutDetails.model_validate({**DETAILS, "payment": {"token": token}})
        return self.services.checkout.submit(self.owner, key, details)

    def lose_the_answer(self, monkeypatch, token="tok_ok"):
        """Check out; the provider does its work, and nobody here hears of it."""
        provider = self.services.payments.provider

        def charge_and_lose(request):
            original(request)
            raise ProviderOutcomeUnknown("planned")

        def nothing(key):
            raise ProviderOutcomeUnknown("planned")

        original = provider.charge
        with monkeypatch.context() as patched:
            patched.setattr(provider, "charge", charge_and_lose)
            patched.setattr(provider, "find_charge", nothing)
            with pytest.raises(ProviderUnavailable):
                self.submit(token)
        return self.charge()

    def payment(self):
        with self.database.reading() as session:
            return session.scalar(select(Payment).order_by(Payment.id).limit(1))

    def charge(self):
        """The charge as the provider's books show it."""
        return self.simulator.charges(self.payment().charge_key)[0]

    def tell(self, happened, charge=None, **changed):
        body = webhook_body(happened, charge or self.charge(), **changed)
        return post_webhook(self.client, self.runtime.settings, body).status_code

    def counted(self, outcome):
        """How many messages came to this."""
        named = {"outcome": outcome}
        return self.runtime.metrics.registry.get_sample_value("shop_payment_webhooks_total", named)

    def cancel(self):
        with self.database.reading() as session:
            public_id, guest_id = session.execute(select(Order.public_id, Order.guest_id)).one()
        self.services.cancellation.cancel(OrderViewer(guest_id=guest_id), public_id)

    def stands(self):
        """Everything that must agree."""
        with self.database.reading() as session:
            return {
                "orders": session.scalars(select(Order.status).order_by(Order.id)).all(),
                "events": session.execute(
                    select(OrderEventRow.type, OrderEventRow.data).order_by(
                        OrderEventRow.order_id, OrderEventRow.version
                    )
                ).all(),
                "payments": session.execute(select(Payment.status, Payment.claimed_until)).all(),
                "stock": session.execute(select(StockItem.on_hand, StockItem.reserved)).all(),
                "cart": CartService.quantities(session, self.owner),
            }


OF_ONE_ORDER = ("provider_id", "reason", "public_id", "number")


def without_ids(stands):
    events = [(name, {k: v for k, v in data.items() if k not in OF_ONE_ORDER}) for name, data in stands["events"]]
    return {**stands, "events": events}


@pytest.mark.parametrize(
    "forge",
    [
        lambda settings, body: {},
        lambda settings, body: signed_headers(settings, body, secret="another"),
        lambda settings, body: signed_headers(settings, body + b" "),
        lambda settings, body: signed_headers(settings, body, sent_at=int(time.time()) - 600),
        lambda settings, body: {**signed_headers(settings, body), "webhook-id": "evt_2"},
    ],
    ids=["unsigned", "another secret", "another body", "old", "another id"],
)
def test_a_message_that_is_not_the_providers_changes_nothing(store, monkeypatch, forge):
    charge = store.lose_the_answer(monkeypatch)
    before = store.stands()
    body = webhook_body("charge.succeeded", charge)
    answer = store.client.post(PATH, data=body, headers=forge(store.runtime.settings, body))
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert store.stands() == before


def test_an_unsigned_body_is_not_looked_into(client):
    assert client.post(PATH, data=b"\x00{", content_type="application/json").status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"type": "charge.succeeded"}', b'{"type": 1}'])
def test_a_signed_message_nobody_can_read_is_malformed(client, settings, body):
    assert post_webhook(client, settings, body).status_code == 400


def test_webhook_of_unknown_type_is_acknowledged(client, settings):
    assert post_webhook(client, settings, b'{"type": "payout.created", "data": {}}').status_code == 204


@pytest.mark.parametrize("key", ["nobody's", "a\0b"])
def test_webhook_of_unknown_charge_is_acknowledged_and_counted(store, key):
    charge = {"id": "ch_1", "key": key, "amount": 1, "currency": "EUR", "refunded": 0}
    assert [store.tell("charge.succeeded", charge) for _ in range(2)] == [204, 204]
    assert store.counted("unknown_charge") == 2


def test_half_a_character_in_a_message_is_malformed(store):
    body = b'{"type": "charge.succeeded", "data": {"id": "c", "key": "\\ud800", "amount": 1, "currency": "EUR"}}'
    assert post_webhook(store.client, store.runtime.settings, body).status_code == 400


def test_a_nul_in_the_id_of_a_charge_is_malformed(store, monkeypatch):
    charge = store.lose_the_answer(monkeypatch)
    assert store.tell("charge.succeeded", charge, id="ch\0") == 400
    assert store.payment().status == "pending"


CONFLICTS = {
    "another amount": ("tok_ok", "charge.succeeded", {"amount": 1}, "the payment is over"),
    "paid though declined": ("tok_declined", "charge.succeeded", {}, "that was declined"),
    "given back though declined": ("tok_declined", "charge.refunded", {"refunded": 2598}, "that was declined"),
    "declined though paid": ("tok_ok", "charge.declined", {}, "that was charged"),
    "another charge": ("tok_ok", "charge.succeeded", {"id": "ch_another"}, "of another charge"),
    "another charge given back": ("tok_ok", "charge.refunded", {"id": "ch_another"}, "of another charge"),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_contradicting_webhook_changes_nothing_and_is_audited(store, caplog, case):
    token, happened, changed, says = CONFLICTS[case]
    store.submit(token)
    before = store.stands()
    assert [store.tell(happened, **changed) for _ in range(3)] == [204] * 3
    assert store.stands() == before
    assert [record.message for record in caplog.records].count("webhook_conflict") == 3
    assert store.counted("conflict") == 3
    (found,) = [
        one
        for one in audit(store.runtime.settings, look_again_s=0.0).mismatches
        if one.id == changed.get("id", store.charge()["id"])
    ]
    assert found.kind == "webhook_conflict"
    assert says in found.says


@pytest.mark.parametrize(
    ("token", "happened", "ends"),
    [("tok_ok", "charge.succeeded", "paid"), ("tok_declined", "charge.declined", "cancelled")],
)
def test_a_message_ends_in_the_same_state_as_the_answer(store, monkeypatch, database, token, happened, ends):
    store.submit(token)
    answered = store.stands()
    with database.transaction() as session:
        session.execute(text("DELETE FROM orders"))
        session.execute(text("UPDATE stock_items SET on_hand = 5"))
        session.execute(text("DELETE FROM cart_items"))
    store.fill()
    store.lose_the_answer(monkeypatch, token)
    assert store.stands()["orders"] == ["pending_payment"]
    assert [store.tell(happened) for _ in range(3)] == [204, 204, 204]
    assert store.stands()["orders"] == [ends]
    assert without_ids(store.stands()) == without_ids(answered)


@pytest.mark.parametrize(
    ("token", "happened", "result"),
    [("tok_ok", "charge.succeeded", PaidOrder), ("tok_declined", "charge.declined", DeclinedCheckout)],
)
def test_webhook_before_answer_does_not_change_response(store, monkeypatch, token, happened, result):
    told = []

    def reached(point):
        if point is RecoveryPoint.ANSWERED:
            told.append(store.tell(happened))

    monkeypatch.setattr(store.services.checkout, "on_recovery_point", reached)
    outcome = store.submit(token)
    assert (type(outcome), outcome.replayed, told) == (result, False, [204])


def test_late_charge_of_cancelled_order_is_refunded(store, monkeypatch):
    charge = store.lose_the_answer(monkeypatch)
    with store.database.transaction() as session:
        store.services.checkout.phases.cancel_unpaid(
            session, session.scalar(select(Order.public_id)), CancellationCause.UNPAID
        )
    assert store.tell("charge.succeeded", charge) == 204
    assert store.stands()["orders"] == ["refunded"]
    assert store.charge()["refunded"] == charge["amount"]
    assert store.tell("charge.succeeded", charge) == 204
    assert store.charge()["refunded"] == charge["amount"]


def test_webhook_settles_refund_with_lost_answer(store, monkeypatch):
    store.submit()
    provider = store.services.payments.provider
    original = provider.refund

    def refund_and_lose(*args):
        original(*args)
        raise ProviderOutcomeUnknown("planned")

    monkeypatch.setattr(provider, "refund", refund_and_lose)
    store.cancel()
    assert store.stands()["orders"] == ["cancelled"]
    assert [store.tell("charge.refunded") for _ in range(2)] == [204, 204]
    assert store.stands()["orders"] == ["refunded"]
    assert [event for event, _ in store.stands()["events"]][-2:] == ["OrderCancelled", "PaymentRefunded"]


def test_a_refund_that_overtakes_its_charge_is_taken_later(store, monkeypatch):
    charge = store.lose_the_answer(monkeypatch)
    assert store.tell("charge.refunded", charge, refunded=charge["amount"]) == 409
    assert store.tell("charge.succeeded", charge) == 204


def test_a_refund_nobody_asked_for_changes_nothing(store):
    store.submit()
    before = store.stands()
    assert store.tell("charge.refunded", refunded=1) == 204
    assert store.stands() == before


def test_messages_and_replays_at_the_same_moment_pay_once(store, database, settings, monkeypatch):
    charge = store.lose_the_answer(monkeypatch)
    body = webhook_body("charge.succeeded", charge)
    attempt = (store.owner, "the-key")
    ends = receive_webhooks_concurrently(settings, [body] * 3, [attempt] * 2)
    assert set(ends) <= {"told", "PaidOrder", "StateConflict"}
    assert ends.count("told") == 3
    events = [event for event, _ in store.stands()["events"]]
    assert events == ["OrderPlaced", "PaymentCharged"]
    assert store.stands()["stock"] == [(3, 0)]
    assert store.stands()["cart"] == {}


@pytest.mark.parametrize(("token", "happened"), [("tok_ok", "charge.succeeded"), ("tok_declined", "charge.declined")])
def test_a_message_that_is_no_news_waits_for_nobody(store, database, token, happened):
    store.submit(token)
    with database.transaction() as session:  # somebody is at work on the order for as long as this block lasts
        order_stream.lock(session, session.scalar(select(Order.public_id)))
        assert store.tell(happened) == 204


@pytest.fixture
def open_store(settings, database, simulator, tmp_path):
    """A real server, which the provider tells everything."""
    server = WebServer(settings, tmp_path / "web")
    server.wait()
    simulator.behave(webhook_url=f"{server.url}{PATH}", webhook_delay_ms=0, webhook_retry_ms=50)
    yield server
    simulator.behave()
    server.stop()


def test_webhook_finishes_checkout_killed_after_charge(store, settings, open_store):
    assert check_out_and_die(settings, (store.owner, "the-key"), RecoveryPoint.ANSWERED) == -9
    until(lambda: store.stands()["orders"] == ["paid"])
    stands = store.stands()
    assert (stands["stock"], stands["cart"], [row.status for row in stands["payments"]]) == ([(3, 0)], {}, ["charged"])


def test_messages_sent_twice_and_in_another_order_do_no_harm(store, settings, simulator, open_store):
    simulator.behave(webhook_duplicate_rate=1, webhook_reorder_rate=1)
    taken = simulator.messages()["taken"]
    assert isinstance(store.submit(), PaidOrder)
    store.cancel()
    until(lambda: simulator.messages()["taken"] == taken + 2)
    assert store.stands()["orders"] == ["refunded"]
    assert store.stands()["stock"] == [(5, 0)]


def test_a_message_is_found_under_the_request_that_caused_it(store, settings, simulator, open_store):
    simulator.post(
        "/charges", "nobody's", {"amount": 1, "currency": "EUR", "token": "tok_ok"}, X_Request_ID="caused-by-this-test"
    )
    log = open_store.settings.log_dir / "web.jsonl"
    until(
        lambda: (
            log.exists() and any("caused-by-this-test" in one and PATH in one for one in log.read_text().split("\n"))
        )
    )
