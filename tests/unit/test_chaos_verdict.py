"""The checks of ``loadtests/chaos.py``: the outcomes that clients know against the actual state, by table."""

import pytest

from loadtests.chaos_run.actual_state import ActualOrder, ActualState
from loadtests.chaos_run.checks import DOUBLE, LOST, OVERSOLD, SENSELESS, STUCK, find_faults
from loadtests.chaos_run.outcome import AWAY, DECLINED, NOTHING, ORDERED, REFUSED, CheckoutOutcome, CheckoutPlan

PLAN = CheckoutPlan(1, "mug", 2, "tok_ok", haste_s=None, twice=False, gone=False, cancels=False)
MUGS = {"mug": 10}


def outcome(end=ORDERED, orders=("ord_1",), cancel="", senseless=()):
    return CheckoutOutcome(PLAN, end, set(orders), {"mug": 2}, 2000, cancel, senseless=list(senseless))


def order(public_id="ord_1", status="paid", total=2000, pieces=2, kept=(2000,), age_s=5.0):
    return ActualOrder(public_id, status, total, {"mug": pieces}, kept, age_s)


def faults(known, *orders, left=8):
    state = ActualState({PLAN.email: orders}, {"mug": (left, 0)})
    return {kind for kind, _ in find_faults([known], state, MUGS)}


@pytest.mark.parametrize(
    ("known", "orders", "left"),
    [
        (outcome(), [order()], 8),
        (outcome(cancel="refunded"), [order(status="refunded", kept=())], 10),
        (outcome(cancel="asked"), [order()], 8),
        (outcome(cancel="asked"), [order(status="refunded", kept=())], 10),
        (outcome(cancel=REFUSED), [order(status="shipped")], 8),
        (outcome(DECLINED, ()), [order(status="cancelled", kept=())], 10),
        (outcome(REFUSED, ()), [], 10),
        (outcome(AWAY, ()), [order(status="pending_payment", kept=())], 10),
        (outcome(AWAY, ()), [order(status="cancelled", kept=()), order("ord_2", "cancelled", kept=())], 10),
    ],
)
def test_outcomes_that_match_the_actual_state_are_no_fault(known, orders, left):
    assert faults(known, *orders, left=left) == set()


@pytest.mark.parametrize(
    ("kind", "known", "orders", "left"),
    [
        (DOUBLE, outcome(), [order(kept=(2000, 2000))], 8),
        (DOUBLE, outcome(), [order(), order("ord_2", status="cancelled", kept=(2000,))], 8),
        (DOUBLE, outcome(), [order(kept=())], 8),
        (LOST, outcome(), [], 10),
        (LOST, outcome(), [order(status="cancelled", kept=())], 10),
        (LOST, outcome(), [order(pieces=3)], 7),
        (LOST, outcome(), [order(total=1999, kept=(1999,))], 8),
        (LOST, outcome(orders=("ord_1", "ord_2")), [order(), order("ord_2", "cancelled", kept=())], 8),
        (LOST, outcome(DECLINED, ()), [order()], 8),
        (LOST, outcome(cancel="refunded"), [order()], 8),
        (OVERSOLD, outcome(), [order()], 9),
        (OVERSOLD, outcome(), [order(pieces=11)], 0),
        (STUCK, outcome(NOTHING, ()), [], 10),
        (STUCK, outcome(AWAY, ()), [order(status="pending_payment", kept=(), age_s=61)], 10),
        (STUCK, outcome(AWAY, ()), [order(status="pending_payment")], 10),
        (STUCK, outcome(cancel="cancelled"), [order(status="cancelled")], 10),
        (SENSELESS, outcome(senseless=["POST /api/v1/checkout: 500"]), [order()], 8),
    ],
)
def test_each_fault_is_detected(kind, known, orders, left):
    assert kind in faults(known, *orders, left=left)
