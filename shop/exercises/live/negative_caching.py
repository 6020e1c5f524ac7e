"""The live comparison of the exercise ``negative-caching``: what a missing product costs the second time."""

import secrets

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule
from shop.exercises.live_arm import LiveArm, product_screen
from shop.switches.parameters import TTL_SCALE

MISSING = 40
LOOK = "The answer that there is no such product is stored, too, for some seconds: the next request needs no query."


def measure_queries(arm: LiveArm) -> Counts:
    """Request products that do not exist, each several times, and count the requests that asked the database."""
    token = secrets.token_hex(4)  # never requested before: no cache knows these names
    missing = [f"exercise-missing-{token}-{number}" for number in range(min(MISSING, arm.count // 2))]
    responses = arm.send([product_screen(slug) for slug in arm.in_turn(missing)])
    asked = sum(response.queries > 0 for response in responses)
    return {
        "asked": asked,
        "asked-again": asked - len(missing),
        "other-answers": sum(response.status != 404 for response in responses),
    }


COMPARISON = LiveComparison(
    did="requests for 40 products that do not exist, in turn",
    measure=measure_queries,
    rate=40.0,
    counts=(
        CountRule("other-answers", "answers other than 404", "each request gets 404", LOOK, at_most=0),
        CountRule(
            "asked-again",
            "requests that asked the database again",
            "the database is asked once for each product",
            LOOK,
            at_most=4,
        ),
        CountRule("asked", "requests that asked the database"),
    ),
    ratio=RatioRule("asked", at_most=2.0, look=LOOK),
    experiment="cache-penetration",
    switches={"cache.edge": "off", "cache.local": "off", "cache.shared": "on"},
    parameters={TTL_SCALE: 1.0},
)
