"""Refunds that are done already, in part, never, or again and again in vain."""

import pytest
from sqlalchemy import select, text

from shop.checkout.completer import CompletionRound
from shop.checkout.details import CheckoutDetails
from shop.checkout.recovery_points import RecoveryPoint
from shop.errors import StateConflict
from shop.orders.models import Order, OrderEventRow
from shop.orders.projection_rebuild import ProjectionRebuilder
from shop.orders.service import OrderViewer
from shop.payments import retry_schedule
from shop.payments.models import Payment
from shop.reconciliation.audit import audit
from tests.support.accounts import make_account, sign_in
from tests.support.checkout_processes import DETAILS, check_out_and_die, complete_concurrently
from tests.support.factories import make_category, make_product
from tests.support.guest_carts import guest_with_cart

TOTAL = 2598
HALF = TOTAL // 2


class Store:
    """A store that has sold two mugs, and the provider that was paid for them."""

    def __init__(self, runtime, client, simulator):
        self.runtime, self.client, self.simulator = runtime, client, simulator
        self.services, self.database = runtime.services(), runtime.database
        simulator.damage("DELETE FROM refunds")
        simulator.damage("DELETE FROM charges")
        with self.database.transaction() as session:
            make_product(session, make_category(session), "mug", on_hand=50)
            self.admin_id = make_account(session, "admin@shop.test", role="admin").id
        self.owner = guest_with_cart(self.database, {"mug": 2})

    def buy(self):
        details = CheckoutDetails.model_validate(DETAILS)
        return self.services.checkout.submit(self.owner, "the-key", details).public_id

    def cancel(self, public_id):
        self.services.cancellation.cancel(OrderViewer(guest_id=self.owner.guest_cart_id), public_id)

    def payment(self):
        with self.database.reading() as session:
            return session.scalars(select(Payment)).one()

    def order(self):
        with self.database.reading() as session:
            order = session.scalars(select(Order)).one()
            events = session.execute(
                select(OrderEventRow.type, OrderEventRow.data).order_by(OrderEventRow.version)
            ).all()
        return order.status, events

    def give_back_by_hand(self, amount):
        self.simulator.refund_by_hand(self.simulator.charges(self.payment().charge_key)[0]["id"], amount)

    def let_time_pass(self):
        with self.database.transaction() as session:
            session.execute(text("UPDATE payments SET next_attempt_at = now(), claimed_until = NULL"))

    def complete(self):
        return self.services.completer.run_once()

    def complete_in_vain(self, times):
        for _ in range(times):
            self.let_time_pass()
            assert self.complete() == CompletionRound(left=1)

    def found_by_the_auditor(self):
        return {(one.kind, one.id) for one in audit(self.runtime.settings, look_again_s=0.0).mismatches}


@pytest.fixture
def store(runtime, client, simulator):
    return Store(runtime, client, simulator)


@pytest.mark.parametrize("by_hand", [[TOTAL], [HALF], [HALF, 1], [TOTAL - 1], [HALF, TOTAL - HALF]])
def test_manual_refund_is_not_refunded_again(store, simulator, by_hand):
    order = store.buy()
    for amount in by_hand:
        store.give_back_by_hand(amount)
    store.cancel(order)
    assert (store.order()[0], store.payment().status) == ("refunded", "refunded")
    rest = TOTAL - sum(by_hand)
    assert simulator.refunds() == [*by_hand, *([rest] if rest else [])]
    assert store.found_by_the_auditor() == set()


def test_remainder_is_refunded_once_despite_repeated_calls(store, simulator):
    store.buy()
    store.give_back_by_hand(HALF)
    for _ in range(3):
        store.services.payments.refund(store.payment())
    assert simulator.refunds() == [HALF, TOTAL - HALF]


def test_three_completers_at_once_give_the_difference_back_once(store, settings, simulator):
    order = store.buy()
    store.give_back_by_hand(HALF)
    simulator.behave(outage=True)
    store.cancel(order)
    simulator.behave()
    store.let_time_pass()
    complete_concurrently(settings, 3)
    assert store.order()[0] == "refunded"
    assert simulator.refunds() == [HALF, TOTAL - HALF]
    assert store.found_by_the_auditor() == set()


def test_manual_refund_while_refund_is_due_counts(store, simulator):
    order = store.buy()
    simulator.behave(outage=True)
    store.cancel(order)
    simulator.behave()
    store.give_back_by_hand(TOTAL)
    store.let_time_pass()
    assert store.complete() == CompletionRound(refunded=1)
    assert simulator.refunds() == [TOTAL]


def test_charge_refunded_before_settlement_sells_nothing(store, settings, simulator):
    check_out_and_die(settings, (store.owner, "the-key"), RecoveryPoint.ANSWERED)
    store.give_back_by_hand(TOTAL)
    store.let_time_pass()
    store.complete()
    assert store.order()[0] == "cancelled"
    assert store.complete() == CompletionRound(refunded=1)
    assert store.order()[0] == "refunded"
    assert store.found_by_the_auditor() == set()


def test_an_attempt_that_failed_is_not_repeated_before_its_time(store, simulator):
    order = store.buy()
    simulator.behave(refund_refusal_rate=1)  # an outage would open the breaker
    store.cancel(order)
    assert (store.payment().status, store.payment().attempts) == ("refund_pending", 1)
    assert [store.complete() for _ in range(3)] == [CompletionRound()] * 3
    store.complete_in_vain(2)
    payment = store.payment()
    assert payment.attempts == 3
    with store.database.reading() as session:
        ahead_s = session.scalar(text("SELECT extract(epoch FROM next_attempt_at - now()) FROM payments"))
    assert 2 < ahead_s <= 8
    simulator.behave()
    store.let_time_pass()
    assert store.complete() == CompletionRound(refunded=1)
    assert (store.payment().attempts, store.payment().last_error) == (0, None)


def test_unsettled_payment_is_tried_with_growing_pauses(store, settings, simulator):
    check_out_and_die(settings, (store.owner, "the-key"), RecoveryPoint.ANSWERED)
    simulator.behave(outage=True)
    with store.database.transaction() as session:
        session.execute(text("UPDATE orders SET created_at = created_at - interval '1 hour'"))
    store.complete_in_vain(1)
    assert store.complete() == CompletionRound()
    simulator.behave()
    store.let_time_pass()
    assert store.complete() == CompletionRound(paid=1)


def test_repeatedly_refused_refund_fails_for_staff(store, simulator):
    order = store.buy()
    simulator.behave(refund_refusal_rate=1)
    store.cancel(order)
    store.complete_in_vain(retry_schedule.MAX_REFUSALS - 1)
    assert (store.payment().status, store.payment().attempts) == ("refund_failed", retry_schedule.MAX_REFUSALS)
    store.let_time_pass()
    assert store.complete() == CompletionRound()
    assert store.found_by_the_auditor() == {("refund_failed", order)}
    simulator.behave()
    store.cancel(order)  # by whoever presses "try again"
    assert store.order()[0] == "refunded"
    assert store.found_by_the_auditor() == set()


def test_refusals_after_silence_count_from_the_first_refusal(store, runtime, simulator):
    for name in ("breaker", "retries"):  # each attempt is one call, and each call is made
        assert store.client.put(f"/api/v1/switches/payments.{name}", json={"value": "off"}).status_code == 200
    store.services = runtime.services()
    order = store.buy()
    simulator.behave(outage=True)
    store.cancel(order)
    store.complete_in_vain(retry_schedule.MAX_REFUSALS - 1)
    simulator.behave(refund_refusal_rate=1, outage=False)
    store.complete_in_vain(retry_schedule.MAX_REFUSALS - 1)
    assert store.payment().status == "refund_pending"
    simulator.behave(outage=True)
    store.complete_in_vain(1)
    simulator.behave(refund_refusal_rate=1, outage=False)
    store.complete_in_vain(1)
    assert (store.payment().status, store.payment().refusals) == ("refund_pending", 1), "not in a row"
    store.complete_in_vain(retry_schedule.MAX_REFUSALS - 1)
    assert store.payment().status == "refund_failed"


@pytest.fixture
def failed(store, simulator):
    order = store.buy()
    simulator.behave(refund_refusal_rate=1)
    store.cancel(order)
    store.complete_in_vain(retry_schedule.MAX_REFUSALS - 1)
    return order


def test_the_staff_sees_why_and_closes_it_with_a_reason(store, failed):
    assert store.client.post(f"/admin/orders/{failed}/close-refund", data={"reason": "no"}).status_code in (303, 401)
    sign_in(store.client, "admin@shop.test")
    listed = store.client.get("/admin/orders?refund=owed").text
    assert "Refund failed" in listed
    assert "not_refundable" in listed
    page = store.client.get(f"/orders/{failed}").text
    assert f"Tried {retry_schedule.MAX_REFUSALS} times" in page
    assert "not_refundable" in page
    answer = store.client.post(
        f"/admin/orders/{failed}/close-refund", data={"reason": " Bank transfer. ", "next": f"/orders/{failed}"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/orders/{failed}")
    status, events = store.order()
    assert (status, store.payment().status) == ("cancelled", "refund_closed")
    assert events[-1] == ("RefundClosed", {"closed_by": store.admin_id, "reason": "Bank transfer."})
    page = store.client.get(f"/orders/{failed}").text
    assert "The refund is closed." in page
    assert "Bank transfer." in page
    assert "close-refund" not in page
    assert failed not in store.client.get("/admin/orders?refund=owed").text
    assert store.found_by_the_auditor() == set()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\0b"])
def test_closing_a_refund_needs_a_reason(store, failed, reason):
    sign_in(store.client, "admin@shop.test")
    store.client.post(f"/admin/orders/{failed}/close-refund", data={"reason": reason})
    assert "Say how it was settled" in store.client.get("/admin/orders").text
    assert store.payment().status == "refund_failed"


def test_only_staff_closes_refund_through_api_once(store, failed):
    path, body = f"/api/v1/admin/orders/{failed}/close-refund", {"reason": "Bank transfer."}
    assert store.client.post(path, json=body).status_code == 401
    sign_in(store.client, "admin@shop.test")
    assert store.client.post(path, json={"reason": ""}).status_code == 422
    answer = store.client.post(path, json=body)
    assert (answer.status_code, answer.json["status"], answer.json["refund_pending"]) == (200, "cancelled", False)
    assert answer.json["events"][-1]["type"] == "RefundClosed"
    assert store.client.post(path, json=body).status_code == 409


def test_the_customer_is_not_shown_what_the_staff_wrote(store, failed):
    store.services.cancellation.close_refund(failed, store.admin_id, "Only for staff.")
    with store.client.session_transaction() as session:
        session["cart"] = str(store.owner.guest_cart_id)
    page = store.client.get(f"/orders/{failed}").text
    assert "Refund settled" in page
    assert "Only for staff." not in page


def test_a_paid_order_owes_nothing_that_could_be_closed(store):
    order = store.buy()
    with pytest.raises(StateConflict):
        store.services.cancellation.close_refund(order, store.admin_id, "no")
    assert store.order()[0] == "paid"


def test_refund_succeeding_while_closed_counts_as_refunded(store, simulator, monkeypatch):
    order = store.buy()
    provider = store.services.payments.provider
    original = provider.refund

    def refund(*given):
        store.services.cancellation.close_refund(order, store.admin_id, "Bank transfer.")
        original(*given)

    monkeypatch.setattr(provider, "refund", refund)
    store.cancel(order)
    assert (store.order()[0], store.payment().status) == ("refunded", "refunded")
    assert store.found_by_the_auditor() == set()


def test_closed_refund_can_be_rebuilt_from_events(store, failed):
    store.services.cancellation.close_refund(failed, store.admin_id, "Bank transfer.")
    replaying = ProjectionRebuilder(store.database)
    assert replaying.verify().differences == ()
    replaying.rebuild()
    assert replaying.verify().differences == ()
    assert store.services.orders.count_owed_refunds() == 0
