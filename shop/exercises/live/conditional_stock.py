"""The live comparison of the exercise ``conditional-stock``: more shoppers at once than there are pieces."""

import secrets

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm
from shop.exercises.live_shoppers import checkout, shoppers_with_carts

BURST = 8
PIECES = 4
PRODUCTS = own_products("conditional-stock", 5)
LOOK = "Decide and change in one statement: UPDATE … WHERE enough pieces are left; no row changed means: too few."


def measure_sales(arm: LiveArm) -> Counts:
    """Let groups of shoppers check out at once, each group one product with too few pieces for all."""
    products = arm.products[: max(1, arm.count // BURST)]
    arm.sell_products(products, on_hand=PIECES)
    slugs = [slug for slug in products for _ in range(BURST)]
    with shoppers_with_carts(arm, len(slugs), slugs) as guests:
        responses = arm.send([checkout(guest, secrets.token_hex(16)) for guest in guests], BURST)
        ordered = [
            sum(response.status == 201 for slug, response in zip(slugs, responses, strict=True) if slug == product)
            for product in products
        ]
    return {
        "oversold": sum(max(0, count - PIECES) for count in ordered),
        "left-over": sum(max(0, PIECES - count) for count in ordered),
        "orders": sum(ordered),
    }


COMPARISON = LiveComparison(
    did=f"checkouts, {BURST} shoppers at once for {PIECES} pieces of a product",
    measure=measure_sales,
    rate=8.0,
    counts=(
        CountRule("oversold", "pieces sold that did not exist", "no piece is sold twice", LOOK, at_most=0),
        CountRule("left-over", "pieces left although a shopper wanted them", "every piece is sold", LOOK, at_most=1),
        CountRule("orders", "orders"),
    ),
    ratio=RatioRule("orders", at_most=2.0, look=LOOK),
    experiment="flash-sale",
    own_products=PRODUCTS,
)
