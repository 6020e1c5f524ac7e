"""The live comparison of the exercise ``stampede-lock``: the loads of an entry that many requests miss at once."""

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm, product_screen
from shop.switches.parameters import TTL_SCALE

BURST = 16
PRODUCTS = own_products("stampede-lock", 10)
LOOK = "One of the requests loads; the others wait for it, in other processes too, and read the cache again."


def measure_stampedes(arm: LiveArm) -> Counts:
    """Send bursts of requests, each burst for one product that is missing in the cache, and count the loads."""
    arm.sell_products()
    products = arm.products[: max(1, arm.count // BURST)]
    responses = arm.send([product_screen(slug) for slug in products for _ in range(BURST)], BURST)
    return {"loads": 100 * sum(response.queries > 0 for response in responses) / len(products)}


COMPARISON = LiveComparison(
    did=f"bursts of {BURST} requests at once, each burst for a product that is missing in the cache",
    measure=measure_stampedes,
    rate=32.0,
    counts=(
        CountRule(
            "loads",
            "loads of 100 missing entries",
            "100 missing entries are loaded at most 150 times",
            LOOK,
            at_most=150,
        ),
    ),
    ratio=RatioRule("loads", at_most=2.0, look=LOOK),
    experiment="cache-stampede",
    switches={"cache.edge": "off", "cache.local": "off", "cache.shared": "on", "cache.invalidation": "event"},
    parameters={TTL_SCALE: 1.0},
    own_products=PRODUCTS,
)
