"""The live comparison of the exercise ``circuit-breaker``: calls to a payments provider that is down."""

import secrets
import time
from collections.abc import Sequence

import httpx

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm
from shop.exercises.live_shoppers import checkout, shoppers_with_carts
from shop.exercises.live_stage import ORDER
from shop.patterns.observability.metric_names import DEPENDENCY_ATTEMPTS

PRODUCTS = own_products("circuit-breaker", 5)
PIECES = 1000
GUESTS = 20
"""Each tries again after a second."""
PAUSE_S = 5.5
"""A breaker that opened in the outage makes a trial after five seconds."""
LOOK = "After min_calls failures the breaker of a process is open: it refuses each checkout before the call."


def measure_calls(arm: LiveArm) -> Counts:
    """Let shoppers check out while the provider is down, and count the calls that were tried nevertheless."""
    arm.sell_products(on_hand=PIECES)
    with shoppers_with_carts(arm, min(GUESTS, arm.count)) as guests:
        requests = [checkout(guest, secrets.token_hex(16)) for guest in arm.in_turn(guests)]
        arm.store.set_fault("payments", "down")
        before = arm.counter(DEPENDENCY_ATTEMPTS, ("outcome", "failed"))
        responses = arm.send(requests)
        tried = arm.counter(DEPENDENCY_ATTEMPTS, ("outcome", "failed")) - before
        ended = time.monotonic()
        arm.store.clear_faults()  # waits for the provider
        if arm.number + 1 == len(ORDER):
            _close_breakers(guests, ended + PAUSE_S)
    return {"tried": tried, "refused": sum(response.status == 503 for response in responses)}


def _close_breakers(guests: Sequence[httpx.Client], pause_ends: float) -> None:
    """Let the breaker of every process close again: the next shoppers find it so."""
    time.sleep(max(0.0, pause_ends - time.monotonic()))
    for guest in guests:
        request = checkout(guest, secrets.token_hex(16))
        guest.request(request.method, request.path, json=request.body, headers=dict(request.headers))


COMPARISON = LiveComparison(
    did="checkouts while the payments provider is down",
    measure=measure_calls,
    rate=20.0,
    counts=(
        CountRule(
            "tried",
            "calls that were tried",
            "most checkouts are refused before the call: at most 60 calls",
            LOOK,
            at_most=60,
        ),
        CountRule("refused", "checkouts answered 503, after a call or without one"),
    ),
    ratio=RatioRule("tried", at_most=4.0, look=LOOK, floor=10.0),
    experiment="slow-payments",
    switches={"payments.retries": "off", "payments.timeout": "on"},
    faults=("payments",),
    own_products=PRODUCTS,
    failures=True,
)
