"""The live comparison of the exercise ``cache-aside``: how often a value is loaded that the cache already has."""

import math

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm, product_screen
from shop.switches.parameters import TTL_SCALE

PRODUCTS = own_products("cache-aside", 40)
LOOK = "A value that the cache returns is not loaded; a loaded value is stored before it is returned."


def measure_loads(arm: LiveArm) -> Counts:
    """Request products in turn, and count the requests that loaded from the database."""
    arm.sell_products()
    slugs = arm.in_turn(arm.products[: arm.count // 2])
    responses = arm.send([product_screen(slug) for slug in slugs])
    loads = [(slug, response) for slug, response in zip(slugs, responses, strict=True) if response.queries > 0]
    stored_s: dict[str, float] = {}
    for slug, response in loads:
        stored_s[slug] = min(stored_s.get(slug, math.inf), response.due_s + response.ms / 1000)
    # On a slow machine, a request may come before the first load of its product has ended: it may load, too.
    repeated = sum(response.due_s > stored_s[slug] for slug, response in loads)
    mixed_up = sum(
        response.status == 200 and response.json()["product"]["slug"] != slug
        for slug, response in zip(slugs, responses, strict=True)
    )
    return {"loads": len(loads), "repeated-loads": repeated, "mixed-up": mixed_up}


COMPARISON = LiveComparison(
    did="requests for the screens of 40 products in turn, all of them missing in the cache at first",
    measure=measure_loads,
    rate=40.0,
    counts=(
        CountRule("mixed-up", "screens of another product", "each request gets the screen of its product", LOOK, 0),
        CountRule(
            "repeated-loads", "loads beyond the first of each product", "each product is loaded once", LOOK, at_most=4
        ),
        CountRule("loads", "requests that loaded from the database"),
    ),
    ratio=RatioRule("loads", at_most=2.0, look=LOOK),
    experiment="cache-aside",
    switches={"cache.edge": "off", "cache.local": "off", "cache.invalidation": "event"},
    parameters={TTL_SCALE: 1.0},
    own_products=PRODUCTS,
)
