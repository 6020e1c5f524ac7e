"""The live comparison of the exercise ``retry-budget``: checkouts while the provider refuses one call in ten."""

import secrets

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm
from shop.exercises.live_shoppers import checkout, shoppers_with_carts
from shop.patterns.observability.metric_names import DEPENDENCY_ATTEMPTS

PRODUCTS = own_products("retry-budget", 5)
PIECES = 1000
LOOK = "A call of the store is idempotent, and 503 is retryable: with three attempts, nearly every checkout succeeds."


def measure_orders(arm: LiveArm) -> Counts:
    """Let shoppers check out, and count those without an order, and the attempts of all calls to the provider."""
    arm.sell_products(on_hand=PIECES)
    with shoppers_with_carts(arm, arm.count) as guests:
        arm.store.set_fault("payments", "failing")
        before = arm.counter(DEPENDENCY_ATTEMPTS)
        responses = arm.send([checkout(guest, secrets.token_hex(16)) for guest in guests])
        attempts = arm.counter(DEPENDENCY_ATTEMPTS) - before
        arm.store.set_fault("payments", "none")
    ordered = sum(response.status == 201 for response in responses)
    return {"without-order": len(responses) - ordered, "attempts": attempts}


COMPARISON = LiveComparison(
    did="checkouts while the payments provider refuses one call in ten",
    measure=measure_orders,
    rate=6.0,
    counts=(
        CountRule(
            "without-order",
            "checkouts without an order",
            "at most one checkout fails: three refusals in a row are one in a thousand",
            LOOK,
            at_most=1,
        ),
        CountRule("attempts", "attempts of calls to the provider"),
    ),
    ratio=RatioRule("attempts", at_most=3.0, look="Retry only what failed: limits.attempts, and the budget."),
    experiment="failing-payments",
    switches={"payments.breaker": "on", "payments.timeout": "on"},
    faults=("payments",),
    own_products=PRODUCTS,
    failures=True,
)
