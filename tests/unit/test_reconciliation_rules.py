import itertools

import pytest

from shop.orders.transitions import EventType, IllegalTransition, OrderStatus, next_status
from shop.reconciliation.findings import BookMismatch, confirmed_mismatches
from shop.reconciliation.rules import PAYMENT_STATUSES, STORED_STATUS, derive_status

STORIES = {
    "": None,
    "PaymentCharged": None,
    "OrderPlaced": "pending_payment",
    "OrderPlaced PaymentCharged OrderShipped OrderDelivered": "delivered",
    "OrderPlaced PaymentDeclined OrderCancelled": "cancelled",
    "OrderPlaced PaymentCharged OrderCancelled": "owed",
    "OrderPlaced OrderCancelled PaymentCharged": "owed",
    "OrderPlaced OrderAdopted PaymentCharged OrderCancelled PaymentRefunded": "refunded",
    "OrderPlaced PaymentCharged PaymentCharged": None,
    "OrderPlaced OrderShipped": None,
    "OrderPlaced OrderPlaced": None,
    "OrderAdopted": None,
}


@pytest.mark.parametrize("story", STORIES)
def test_event_types_lead_to_a_status_or_are_impossible(story):
    assert derive_status(story) == STORIES[story]


def test_auditor_and_store_derive_the_same_status():
    """Every story of up to five events: what both hold possible must end in the same place."""
    agreed = 0
    for length in range(1, 6):
        for events in itertools.product(EventType, repeat=length):
            status, told = None, derive_status(" ".join(events))
            try:
                for event in events:
                    status = next_status(status, event)
            except IllegalTransition:
                status = None
            if told is not None and status is not None:
                assert STORED_STATUS.get(told, told) == status
                agreed += 1
    assert agreed > 50


def test_every_order_status_has_payment_statuses():
    assert {STORED_STATUS.get(state, state) for state in PAYMENT_STATUSES} == set(OrderStatus)


def test_mismatch_gone_at_second_audit_is_not_confirmed():
    early, late = BookMismatch("stock_on_hand", "mug", "7"), BookMismatch("order_status", "ord_1", "paid")
    again = BookMismatch("stock_on_hand", "mug", "6")
    assert confirmed_mismatches([early], [again, late]) == (again,)
