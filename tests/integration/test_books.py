import json
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from shop.cart.service import CartOwner, CartService
from shop.catalog import editing, offers
from shop.checkout.details import CheckoutDetails
from shop.checkout.recovery_points import RecoveryPoint
from shop.cli.books import books
from shop.errors import ConfigurationError, ProviderUnavailable
from shop.mail.models import Mail
from shop.mail.reaper import MailReaper
from shop.orders.models import Order
from shop.orders.service import OrderViewer
from shop.orders.transitions import OrderStatus
from shop.payments.http_provider import HttpProvider
from shop.reconciliation.audit import audit
from shop.reconciliation.findings import BookMismatch
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product, make_user

WANTED = CheckoutDetails.model_validate(DETAILS)
DAY = 24 * 3600.0


class Trade:
    """A store in which things are bought, and what became of them."""

    def __init__(self, runtime, simulator):
        self.database, self.simulator, self.settings = runtime.database, simulator, runtime.settings
        self.services = runtime.services()
        self.guests = {}
        simulator.damage("DELETE FROM refunds")
        simulator.damage("DELETE FROM charges")
        with self.database.transaction() as session:
            self.product_id = make_product(session, make_category(session), "mug", on_hand=50).id

    def buy(self, token="tok_ok", pieces=2):
        owner, carts = CartOwner(guest_cart_id=uuid.uuid4()), CartService(self.database, offers)
        carts.add(owner, "mug", pieces)
        details = CheckoutDetails.model_validate({**DETAILS, "payment": {"token": token}})
        result = self.services.checkout.submit(owner, uuid.uuid4().hex, details)
        public_id = getattr(result, "public_id", None)
        self.guests[public_id] = owner.guest_cart_id
        return public_id

    def cancel(self, public_id):
        self.services.cancellation.cancel(OrderViewer(guest_id=self.guests[public_id]), public_id)

    def audit(self, under_way_s=900.0, placed_within_s=None):
        return audit(self.settings, under_way_s, 0.0, placed_within_s=placed_within_s).mismatches

    def damage(self, statement):
        """Change the database as nobody may, the append-only stream included."""
        with self.database.transaction() as session:
            session.execute(text("ALTER TABLE order_events DISABLE TRIGGER append_only"))
            assert session.execute(text(statement)).rowcount == 1
            session.execute(text("ALTER TABLE order_events ENABLE TRIGGER append_only"))


@pytest.fixture
def trade(runtime, simulator):
    return Trade(runtime, simulator)


def test_real_trade_leaves_clean_books(trade):
    paid, sent, taken_back = trade.buy(), trade.buy(pieces=1), trade.buy(pieces=3)
    assert trade.buy("tok_declined") is None
    trade.services.orders.ship(sent)
    trade.services.orders.deliver(sent)
    trade.cancel(taken_back)
    with pytest.raises(ProviderUnavailable):
        trade.buy("tok_error")
    with trade.database.transaction() as session:
        editing.apply_change(session, trade.product_id, editing.ProductChange(on_hand=90))
        account = make_user(session).id
    assert trade.services.orders.claim_guest_orders({trade.guests[paid]}, account, lambda email: True) == 1
    trade.simulator.behave(outage=True)
    with pytest.raises(ProviderUnavailable):
        trade.buy()
    trade.simulator.behave()
    verdict = audit(trade.settings, DAY, 0.0)
    assert verdict.mismatches == ()
    assert (verdict.orders, verdict.charges) == (6, 4)


def test_a_charge_whose_answer_never_came_leaves_clean_books_too(runtime, simulator):
    runtime.provider = HttpProvider(simulator.url, 800, runtime.settings.payments_api_key)
    trade = Trade(runtime, simulator)
    assert trade.buy("tok_timeout_charged") is not None
    assert trade.audit() == ()


def test_unfinished_checkout_is_a_mismatch_only_when_old(trade, monkeypatch):
    def crash(point):
        if point == RecoveryPoint.ANSWERED:
            raise InterruptedError

    monkeypatch.setattr(trade.services.checkout, "on_recovery_point", crash)
    with pytest.raises(InterruptedError):
        trade.buy()
    assert trade.audit() == ()
    found = {(one.kind, one.id) for one in trade.audit(0.0)}
    with trade.database.reading() as session:
        order = session.scalar(select(Order))
    assert order.status == OrderStatus.PENDING_PAYMENT
    assert {("order_left_open", order.public_id), ("charge_kept", order.public_id)} <= found


PLANTED = {
    "events_missing": "DELETE FROM order_events WHERE version = 2",
    "events_impossible": "UPDATE order_events SET type = 'OrderShipped' WHERE version = 2",
    "order_status": "UPDATE orders SET status = 'shipped'",
    "order_lines": "UPDATE order_lines SET title = 'Another mug'",
    "order_total": "UPDATE order_lines SET quantity = 3",
    "payment_missing": "DELETE FROM payments",
    "payment_status": "UPDATE payments SET status = 'abandoned'",
    "payment_amount": "UPDATE payments SET amount = amount + 1",
    "read_model": "UPDATE order_summaries SET status = 'delivered'",
    "stock_on_hand": "UPDATE stock_items SET on_hand = on_hand + 1",
    "stock_reserved": "UPDATE stock_items SET reserved = reserved + 1",
    "charge_id": "UPDATE payments SET provider_id = 'ch_another'",
}
AT_THE_PROVIDER = {
    "charge_missing": "DELETE FROM charges",
    "charge_amount": "UPDATE charges SET amount = amount + 5",
    "refund_unknown": "UPDATE charges SET refunded = 1",
}


@pytest.mark.parametrize("kind", [*PLANTED, *AT_THE_PROVIDER])
def test_damage_is_named_with_its_kind_and_where(trade, kind):
    public_id = trade.buy()
    assert trade.audit() == ()
    if kind in PLANTED:
        trade.damage(PLANTED[kind])
    else:
        trade.simulator.damage(AT_THE_PROVIDER[kind])
    where = "mug" if kind.startswith("stock") else public_id
    for seconds in (None, 600.0):
        assert (kind, where) in {(found.kind, found.id) for found in trade.audit(placed_within_s=seconds)}


def test_a_refund_that_the_provider_never_made_is_named(trade):
    public_id = trade.buy()
    trade.cancel(public_id)
    assert trade.audit() == ()
    trade.simulator.damage("UPDATE charges SET refunded = 0")
    assert [(one.kind, one.id) for one in trade.audit()] == [("refund_missing", public_id)]


def test_a_refund_that_is_owed_for_long_is_named(trade):
    public_id = trade.buy()
    trade.simulator.behave(outage=True)
    trade.cancel(public_id)
    trade.simulator.behave()
    assert trade.audit() == ()
    assert ("refund_owed", public_id) in {(one.kind, one.id) for one in trade.audit(0.0)}


def test_money_for_nothing_is_named(trade):
    stray = trade.simulator.charge("a key nobody has").json()["id"]
    assert trade.audit() == ()  # an order could be placed at this moment
    assert ("charge_unknown", stray) in {(one.kind, one.id) for one in trade.audit(0.0)}


def test_two_charges_for_one_order_are_named(trade):
    public_id = trade.buy()
    with trade.database.reading() as session:
        number = session.scalar(select(Order.number).where(Order.public_id == public_id))
    again = trade.simulator.charge("another key", metadata={"order": number}).json()["id"]
    (found,) = trade.audit()
    assert found.kind == "charged_twice"
    assert again in found.id


def test_duplicate_order_without_key_is_reported(trade):
    owner, carts = CartOwner(guest_cart_id=uuid.uuid4()), CartService(trade.database, offers)
    ids = []
    for _ in range(2):
        carts.add(owner, "mug", 1)
        ids.append(trade.services.checkout.submit(owner, None, CheckoutDetails.model_validate(DETAILS)).public_id)
    assert [(one.kind, one.id) for one in trade.audit()] == [("order_twice", " ".join(ids))]


def test_cart_paid_by_guest_and_account_is_reported(trade):
    guest, account, carts, checkout = a_guest_and_an_account(trade)
    carts.add(guest, "mug", 2)
    when_answered(checkout, lambda: carts.merge(guest.guest_cart_id, account.user_id))  # the lines, and no claim
    orders = [checkout.submit(owner, "the-key", WANTED).public_id for owner in (guest, account)]
    assert [(one.kind, one.id) for one in trade.audit()] == [("cart_paid_twice", " ".join(orders))]


def test_buying_again_what_was_bought_before_leaves_clean_books(trade):
    guest, account, carts, checkout = a_guest_and_an_account(trade)
    carts.add(guest, "mug", 2)
    when_answered(checkout, lambda: carts.add(guest, "mug", 3))
    checkout.submit(guest, "one", WANTED)
    trade.services.carts.merge(guest.guest_cart_id, account.user_id)
    checkout.submit(account, "two", WANTED)  # what was added meanwhile
    carts.add(account, "mug", 2)
    checkout.submit(account, "three", WANTED)
    assert trade.audit() == ()


def a_guest_and_an_account(trade):
    with trade.database.transaction() as session:
        account = CartOwner(user_id=make_user(session).id)
    return CartOwner(guest_cart_id=uuid.uuid4()), account, CartService(trade.database, offers), trade.services.checkout


def when_answered(checkout, work):
    """Do something once in the middle of the next checkout."""

    def reached(point):
        if point == RecoveryPoint.ANSWERED:
            checkout.on_recovery_point = lambda point: None
            work()

    checkout.on_recovery_point = reached


def test_messages_and_mails_that_do_not_arrive_are_named(trade):
    public_id = trade.buy()
    kinds = {one.kind for one in trade.audit(0.0)}
    assert "message_waiting" in kinds
    with trade.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO mails (message_id, recipient, subject, text, html, created_at)"
                " VALUES ('<other>', '', '', '', '', '2020-01-01')"
            )
        )
        session.execute(text("DELETE FROM outbox"))
    assert ("mail_missing", public_id) in {(one.kind, one.id) for one in trade.audit(0.0)}
    with trade.database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO dead_letters (consumer, message_id, aggregate, aggregate_id, topic, payload, attempts,"
                " error, created_at) VALUES ('c', gen_random_uuid(), 'order', :id, 't', '{}', 9, 'no', now())"
            ),
            {"id": public_id},
        )
    assert {one.kind for one in trade.audit(0.0)} == {"message_dead"}


def test_letters_that_were_forgotten_are_missed_by_nobody(trade):
    orders = [trade.buy() for _ in range(3)]
    with trade.database.transaction() as session:
        session.execute(text("DELETE FROM outbox"))
        for public_id in reversed(orders):  # the last one's letter has the lowest id
            session.execute(
                text(
                    "INSERT INTO mails (message_id, recipient, subject, text, html, created_at)"
                    " SELECT '<confirmation.' || public_id || '@shop>', '', '', '', '', recorded_at + interval '1 ms'"
                    " FROM order_events JOIN orders ON orders.id = order_id"
                    " WHERE type = 'PaymentCharged' AND public_id = :id"
                ),
                {"id": public_id},
            )
    assert MailReaper(trade.database, limit=2).run_once() == 1
    assert MailReaper(trade.database, limit=2).run_once() == 0
    with trade.database.reading() as session:
        kept = set(session.scalars(select(Mail.message_id)))
    assert kept == {f"<confirmation.{public_id}@shop>" for public_id in orders[1:]}
    assert trade.audit(0.0) == ()


def test_mismatch_gone_at_second_audit_is_dropped(trade):
    trade.buy()
    trade.damage("UPDATE stock_items SET on_hand = on_hand + 1")
    looks = []

    def mend(seconds):
        looks.append(seconds)
        trade.damage("UPDATE stock_items SET on_hand = on_hand - 1")

    assert audit(trade.settings, look_again_s=7.0, sleep=mend).mismatches == ()
    assert looks == [7.0]


def test_audit_of_recent_orders_leaves_older_ones_out(trade):
    old = trade.buy()
    trade.damage("UPDATE orders SET created_at = created_at - interval '1 hour'")
    trade.simulator.damage("UPDATE charges SET amount = amount + 5, created_at = '2026-01-01T00:00:00+00:00'")
    recent = trade.buy()
    assert [(one.kind, one.id) for one in trade.audit()] == [("charge_amount", old)]
    assert trade.audit(placed_within_s=600.0) == ()
    kinds = {one.kind for one in trade.audit(0.0, placed_within_s=600.0)}
    assert "charge_unknown" not in kinds, "the charge belongs to an order that is left out"
    trade.damage("UPDATE orders SET total_amount = total_amount + 1 WHERE created_at > now() - interval '5 minutes'")
    found = {(one.kind, one.id) for one in trade.audit(placed_within_s=600.0)}
    assert ("order_total", recent) in found
    assert old not in {where for _, where in found}


def test_the_command_tells_by_its_exit_code(trade, monkeypatch):
    for name, value in trade.settings.as_environment().items():
        monkeypatch.setenv(name, value)
    trade.buy()
    run = CliRunner().invoke
    clean = run(books, ["--json"])
    assert (clean.exit_code, json.loads(clean.output)["mismatches"]) == (0, [])
    trade.damage("UPDATE stock_items SET on_hand = on_hand + 1")
    found = run(books, ["--look-again", "0", "--placed-within", "600"])
    assert found.exit_code == 1
    assert "stock_on_hand" in found.output
    assert "1 mismatch." in found.output


def test_a_side_that_cannot_be_read_is_no_verdict(trade):
    trade.simulator.behave(outage=True)
    with pytest.raises(ConfigurationError, match="provider cannot be asked"):
        trade.audit()
    away = trade.settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/none"})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        audit(away)


def test_a_mismatch_says_what_it_is():
    assert BookMismatch("a", "b", "c").to_json() == {"kind": "a", "id": "b", "says": "c"}
