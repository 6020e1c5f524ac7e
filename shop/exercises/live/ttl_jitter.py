"""The live comparison of the exercise ``ttl-jitter``: how many entries, stored together, expire together.

A response from the cache tells the rest of its entry's lifetime (``ttl`` in ``Cache-Status``, RFC 9211). So each
entry's expiry is known at once, with the store's real lifetimes and without waiting for it.
"""

import re
import time
from collections.abc import Sequence

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm, product_screen
from shop.exercises.measurements.own_products import screen_path
from shop.exercises.verdict import CannotJudge
from shop.switches.parameters import TTL_SCALE

PRODUCTS = own_products("ttl-jitter", 40)
WINDOW_S = 5.0
TTL = re.compile(r"shop-shared; hit; ttl=(\d+)")
LOOK = "The product screens live 300 seconds: spread over 270 to 330, how many of the 40 expire within any 5 seconds?"


def measure_expiries(arm: LiveArm) -> Counts:
    """Store entries at the rate of the load, and count those that expire in the worst window, in percent.

    Raises:
        CannotJudge: entries were not served from Valkey.
    """
    arm.sell_products()
    products = arm.products[: arm.count // 2]  # each is requested at least twice: to store it, and to read its lifetime
    slugs = arm.in_turn(products)
    expiry_s: dict[str, float] = {}
    began = time.monotonic()
    for slug, response in zip(slugs, arm.send([product_screen(slug) for slug in slugs]), strict=True):
        if match := TTL.search(response.header("cache-status")):
            expiry_s[slug] = response.due_s + response.ms / 1000 + int(match[1])
    for slug in set(products) - set(expiry_s):  # on a slow machine its second request came before it was stored
        if match := TTL.search(arm.store.cache_status(screen_path(slug))):
            expiry_s[slug] = time.monotonic() - began + int(match[1])
    if len(expiry_s) < len(products) * 0.9 and not arm.failed:
        missing = len(products) - len(expiry_s)
        raise CannotJudge(f"{missing} of {len(products)} entries were not served from Valkey: see `bin/shop status`.")
    return {"worst-window": 100 * largest_window(list(expiry_s.values())) / len(products)}


def largest_window(times_s: Sequence[float]) -> int:
    """Return how many of the times lie in the fullest window."""
    return max((sum(begin <= time < begin + WINDOW_S for time in times_s) for begin in times_s), default=0)


COMPARISON = LiveComparison(
    did="requests for the screens of 40 products, each stored once and read again",
    measure=measure_expiries,
    rate=40.0,
    counts=(
        CountRule(
            "worst-window",
            "entries that expire in the worst 5 seconds, in percent",
            "at most 50 percent of the entries expire within the same 5 seconds",
            LOOK,
            at_most=50.0,
        ),
    ),
    ratio=RatioRule("worst-window", at_most=3.0, look=LOOK),
    experiment="cache-avalanche",
    switches={"cache.edge": "off", "cache.local": "off", "cache.shared": "on", "cache.invalidation": "event"},
    parameters={TTL_SCALE: 1.0},
    own_products=PRODUCTS,
)
