"""The live comparison of the exercise ``early-expiration``: how often the readers of a hot entry meet its expiry.

``Cache-Status`` tells each load apart: ``detail=early`` was begun before the expiry. The store's lock lets one reader
load at a time, so each expiry has one load, early or not.
"""

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm, product_screen
from shop.exercises.verdict import CannotJudge
from shop.switches.parameters import TTL_SCALE

PRODUCTS = own_products("early-expiration", 1)
SCALE = 0.001
"""A product's screen then lives 0.3 seconds: even a short arm has three expiries."""
FEW_LOADS = 5
"""Of fewer loads, each counts as so much of the whole: chance alone may let readers meet two or three expiries."""
LOADED = "fwd=stale; stored"
EARLY = "detail=early"
LOOK = "With 100 requests a second, two or three come within one load, and each draws: few expiries are left to meet."


def measure_expiries(arm: LiveArm) -> Counts:
    """Request one product at a high rate, and count the expiries that no refresh came before, in percent.

    Raises:
        CannotJudge: the entry was never loaded again.
    """
    arm.sell_products()
    responses = arm.send([product_screen(PRODUCTS[0])] * arm.count)
    loads = [status for response in responses if LOADED in (status := response.header("cache-status"))]
    if not loads and not arm.failed:
        raise CannotJudge("The entry of the product did not expire during the load: see `bin/shop status`.")
    met = sum(EARLY not in status for status in loads)
    return {"met-expiries": round(100 * met / max(FEW_LOADS, len(loads))), "loads": len(loads)}


COMPARISON = LiveComparison(
    did="requests for the screen of one product, whose entry lives 0.3 seconds",
    measure=measure_expiries,
    rate=100.0,
    counts=(
        CountRule(
            "met-expiries",
            "expiries that no refresh came before, in percent",
            "at most 80 percent of the expiries are met by a reader",
            LOOK,
            at_most=80.0,
        ),
        CountRule("loads", "loads of the entry"),
    ),
    ratio=RatioRule("met-expiries", at_most=1.8, look=LOOK, floor=50.0),
    experiment="cache-stampede",
    switches={"cache.edge": "off", "cache.local": "off", "cache.shared": "on", "cache.invalidation": "event"},
    parameters={TTL_SCALE: SCALE},
    own_products=PRODUCTS,
)
