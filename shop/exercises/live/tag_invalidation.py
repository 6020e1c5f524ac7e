"""The live comparison of the exercise ``tag-invalidation``: the prices that are read after they were edited."""

import secrets
from functools import partial

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm, LiveResponse, product_screen
from shop.switches.parameters import TTL_SCALE

PRODUCTS = own_products("tag-invalidation", 15)
READS = 3
"""Of each product, before the edit and after it, at least."""
LOOK = "on_write is called with the tags of the product: every entry that carries one of them is invalid afterwards."


def measure_stale(arm: LiveArm) -> Counts:
    """Read products, edit the price of each, and read again; count old prices, and loads from the database."""
    arm.sell_products()
    products = arm.products[: max(1, arm.count // (2 * READS))]
    prices = {slug: 1000 + secrets.randbelow(100_000) for slug in products}
    reads = [product_screen(slug) for slug in arm.in_turn(products)[: arm.count // 2]]
    responses = arm.send(reads)
    arm.in_parallel([partial(arm.store.update_product, slug, price={"amount": prices[slug]}) for slug in products])
    after = arm.send(reads)
    loads = sum(response.queries > 0 for response in (*responses, *after))
    return {
        "stale": sum(_price(response) != prices[response.request.path.rpartition("/")[2]] for response in after),
        "repeated-loads": loads - 2 * len(products),
        "loads": loads,
    }


def _price(response: LiveResponse) -> int | None:
    return int(response.json()["product"]["price"]["amount"]) if response.status == 200 else None


COMPARISON = LiveComparison(
    did="reads of 15 products, each before and after an edit of its price",
    measure=measure_stale,
    rate=20.0,
    counts=(
        CountRule("stale", "old prices after the edit", "each price is the new one", LOOK, at_most=0),
        CountRule(
            "repeated-loads",
            "loads beyond the first of each product and price",
            "each product is loaded once, and once more after its edit",
            "An entry stays valid until a tag of its own is invalidated.",
            at_most=4,
        ),
        CountRule("loads", "requests that loaded from the database"),
    ),
    ratio=RatioRule("loads", at_most=3.0, look=LOOK),
    experiment="cache-staleness",
    switches={"cache.edge": "off", "cache.local": "off", "cache.shared": "on"},
    parameters={TTL_SCALE: 1.0},
    own_products=PRODUCTS,
)
