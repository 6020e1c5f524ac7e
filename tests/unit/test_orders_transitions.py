import itertools

import pytest

from shop.errors import StateConflict
from shop.orders.transitions import TRANSITIONS, EventType, OrderStatus, next_status, owes_refund

PLACED, CHARGED, SHIPPED = EventType.ORDER_PLACED, EventType.PAYMENT_CHARGED, EventType.ORDER_SHIPPED
CANCELLED, REFUNDED = EventType.ORDER_CANCELLED, EventType.PAYMENT_REFUNDED


def stands_after(events):
    status = None
    for event in events:
        status = next_status(status, event)
    return status


@pytest.mark.parametrize(
    "step", [step for step in itertools.product([None, *OrderStatus], EventType) if step not in TRANSITIONS]
)
def test_transition_missing_in_table_is_illegal(step):
    with pytest.raises(StateConflict):
        next_status(*step)


def test_an_order_stands_where_its_events_lead():
    assert stands_after([PLACED]) is OrderStatus.PENDING_PAYMENT
    assert stands_after([PLACED, CHARGED, SHIPPED, EventType.ORDER_DELIVERED]) is OrderStatus.DELIVERED
    assert stands_after([PLACED, EventType.PAYMENT_DECLINED, CANCELLED]) is OrderStatus.CANCELLED
    assert stands_after([PLACED, CHARGED, CANCELLED, REFUNDED]) is OrderStatus.REFUNDED


def test_a_shipped_order_cannot_be_cancelled():
    with pytest.raises(StateConflict, match="shipped"):
        next_status(OrderStatus.SHIPPED, CANCELLED)


def test_a_charge_that_comes_after_the_cancellation_is_owed_back():
    events = [PLACED, CANCELLED, CHARGED]
    assert owes_refund(stands_after(events), events)
    assert not owes_refund(stands_after([*events, REFUNDED]), [*events, REFUNDED])
    assert not owes_refund(OrderStatus.CANCELLED, [PLACED, CANCELLED])
