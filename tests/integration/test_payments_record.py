import itertools
from contextlib import nullcontext

import pytest

from shop.errors import NotFound, StateConflict
from shop.orders.models import Order
from shop.payments.models import Payment
from shop.payments.provider import NullProvider
from shop.payments.service import PaymentService
from shop.payments.transitions import STATUSES, TRANSITIONS, PaymentStatus

PAYMENTS = PaymentService(NullProvider(), limit_s=1, claim_s=1)


@pytest.fixture
def order_id(database):
    with database.transaction() as session:
        order = Order(public_id="ord_1", number="S-1", email="robin@example.org", total_amount=100, address={})
        session.add(order)
        session.flush()
        session.add(Payment(order_id=order.id, charge_key="order-ord_1", amount=100, currency="EUR"))
        return order.id


def test_a_record_moves_only_where_its_status_may_lead(database, order_id):
    for start, end in itertools.product(STATUSES, STATUSES):
        with database.transaction() as session:
            payment = PAYMENTS.for_order(session, order_id)
            payment.status, payment.provider_id = start, "ch_1"
        may = end in TRANSITIONS[start]
        with nullcontext() if may else pytest.raises(StateConflict), database.transaction() as session:
            PAYMENTS.transition(session, order_id, PaymentStatus(end))
        with database.reading() as session:
            assert PAYMENTS.for_order(session, order_id).status == (end if may else start)


def test_transition_keeps_provider_id_and_ends_claim(database, order_id):
    with database.transaction() as session:
        assert PAYMENTS.claim(session, order_id)
        PAYMENTS.transition(session, order_id, PaymentStatus.CHARGED, "ch_1")
        PAYMENTS.transition(session, order_id, PaymentStatus.REFUND_PENDING)
    with database.reading() as session:
        payment = PAYMENTS.for_order(session, order_id)
    assert (payment.provider_id, payment.claimed_until) == ("ch_1", None)


def test_order_without_payment_has_no_transition(database, order_id):
    with database.transaction() as session, pytest.raises(NotFound):
        PAYMENTS.transition(session, order_id + 1, PaymentStatus.CHARGED, "ch_1")
