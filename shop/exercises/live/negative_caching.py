"""The live comparison of the exercise ``negative-caching``: what a missing product costs the second time."""

import secrets

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule
from shop.exercises.live_arm import LiveArm, product_screen
from shop.switches.parameters import TTL_SCALE

REQUESTS = 10
"""Of each missing product. Each process of the store remembers for itself, so each asks once."""
LOOK = "The answer that there is no such product is remembered for some seconds: the next request needs no query."


def measure_queries(arm: LiveArm) -> Counts:
    """Request products that do not exist, each ten times, and count the requests that asked the database."""
    token = secrets.token_hex(4)  # never requested before: no cache knows these names
    missing = [f"exercise-missing-{token}-{number}" for number in range(max(1, arm.count // REQUESTS))]
    responses = arm.send([product_screen(slug) for slug in arm.in_turn(missing)])
    return {
        "other-answers": sum(response.status != 404 for response in responses),
        "asked": 100 * sum(response.queries > 0 for response in responses) / len(missing),
    }


COMPARISON = LiveComparison(
    did=f"requests for products that do not exist, in turn, {REQUESTS} for each",
    measure=measure_queries,
    rate=40.0,
    counts=(
        CountRule("other-answers", "answers other than 404", "each request gets 404", LOOK, at_most=0),
        CountRule(
            "asked",
            "requests that asked the database, of 100 missing products",
            "the database is asked at most 500 times for 100 missing products, not 1,000 times",
            LOOK,
            at_most=500,
        ),
    ),
    ratio=RatioRule("asked", at_most=4.5, look=LOOK),
    experiment="cache-penetration",
    switches={"cache.edge": "off", "cache.local": "off", "cache.shared": "on"},
    parameters={TTL_SCALE: 1.0},
)
