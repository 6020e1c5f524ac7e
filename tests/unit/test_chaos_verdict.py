"""What ``loadtests/chaos.py`` calls a fault: what clients were told against what there is, by table."""

import pytest

from loadtests.disorder.told import AWAY, DECLINED, NOTHING, ORDERED, REFUSED, Told, Wish
from loadtests.disorder.truth import Order, Truth
from loadtests.disorder.verdict import DOUBLE, LOST, OVERSOLD, SENSELESS, STUCK, judge

WISH = Wish(1, "mug", 2, "tok_ok", haste_s=None, twice=False, gone=False, cancels=False)
MUGS = {"mug": 10}


def told(end=ORDERED, orders=("ord_1",), cancel="", senseless=()):
    return Told(WISH, end, set(orders), {"mug": 2}, 2000, cancel, senseless=list(senseless))


def order(public_id="ord_1", status="paid", total=2000, pieces=2, kept=(2000,), age_s=5.0):
    return Order(public_id, status, total, {"mug": pieces}, kept, age_s)


def faults(one, *orders, left=8):
    truth = Truth({WISH.email: orders}, {"mug": (left, 0)})
    return {kind for kind, _ in judge([one], truth, MUGS)}


@pytest.mark.parametrize(
    ("one", "orders", "left"),
    [
        (told(), [order()], 8),
        (told(cancel="refunded"), [order(status="refunded", kept=())], 10),
        (told(cancel="asked"), [order()], 8),
        (told(cancel="asked"), [order(status="refunded", kept=())], 10),
        (told(cancel=REFUSED), [order(status="shipped")], 8),
        (told(DECLINED, ()), [order(status="cancelled", kept=())], 10),
        (told(REFUSED, ()), [], 10),
        (told(AWAY, ()), [order(status="pending_payment", kept=())], 10),
        (told(AWAY, ()), [order(status="cancelled", kept=()), order("ord_2", "cancelled", kept=())], 10),
    ],
)
def test_outcomes_that_match_the_actual_state_are_no_fault(one, orders, left):
    assert faults(one, *orders, left=left) == set()


@pytest.mark.parametrize(
    ("kind", "one", "orders", "left"),
    [
        (DOUBLE, told(), [order(kept=(2000, 2000))], 8),
        (DOUBLE, told(), [order(), order("ord_2", status="cancelled", kept=(2000,))], 8),
        (DOUBLE, told(), [order(kept=())], 8),
        (LOST, told(), [], 10),
        (LOST, told(), [order(status="cancelled", kept=())], 10),
        (LOST, told(), [order(pieces=3)], 7),
        (LOST, told(), [order(total=1999, kept=(1999,))], 8),
        (LOST, told(orders=("ord_1", "ord_2")), [order(), order("ord_2", "cancelled", kept=())], 8),
        (LOST, told(DECLINED, ()), [order()], 8),
        (LOST, told(cancel="refunded"), [order()], 8),
        (OVERSOLD, told(), [order()], 9),
        (OVERSOLD, told(), [order(pieces=11)], 0),
        (STUCK, told(NOTHING, ()), [], 10),
        (STUCK, told(AWAY, ()), [order(status="pending_payment", kept=(), age_s=61)], 10),
        (STUCK, told(AWAY, ()), [order(status="pending_payment")], 10),
        (STUCK, told(cancel="cancelled"), [order(status="cancelled")], 10),
        (SENSELESS, told(senseless=["POST /api/v1/checkout: 500"]), [order()], 8),
    ],
)
def test_each_fault_is_detected(kind, one, orders, left):
    assert kind in faults(one, *orders, left=left)
