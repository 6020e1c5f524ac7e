"""The live comparison of the exercise ``idempotency``: one purchase, sent several times under one key."""

import secrets
from collections import Counter

import httpx

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm
from shop.exercises.live_shoppers import checkout, orders_of, shoppers_with_carts

BURST = 3
PRODUCTS = own_products("idempotency", 5)
PIECES = 1000
LOOK = "The first request under a key claims it before the work; every other one gets its response, or 409 meanwhile."


def measure_duplicates(arm: LiveArm) -> Counts:
    """Let shoppers send one checkout several times at once under one key, and count the orders of each."""
    arm.sell_products(on_hand=PIECES)
    with shoppers_with_carts(arm, max(1, arm.count // BURST)) as guests:
        keys = {guest: secrets.token_hex(16) for guest in guests}
        arm.send([checkout(guest, keys[guest]) for guest in guests for _ in range(BURST)], BURST)
        orders: Counter[httpx.Client] = Counter({guest: len(orders_of(guest)) for guest in guests})
    return {
        "duplicates": sum(count - 1 for count in orders.values() if count > 1),
        "without-order": sum(count == 0 for count in orders.values()),
        "orders": orders.total(),
    }


COMPARISON = LiveComparison(
    did=f"checkouts, each sent {BURST} times at once under one Idempotency-Key",
    measure=measure_duplicates,
    rate=6.0,
    counts=(
        CountRule(
            "duplicates", "orders beyond the first of a purchase", "no purchase is ordered twice", LOOK, at_most=0
        ),
        CountRule("without-order", "purchases without an order", "each purchase is ordered", LOOK, at_most=0),
        CountRule("orders", "orders"),
    ),
    ratio=RatioRule("orders", at_most=2.0, look=LOOK),
    experiment="checkout-retries",
    own_products=PRODUCTS,
)
