"""The live comparison of the exercise ``idempotency``: one change of a cart, sent several times under one key.

A checkout is not the load: it works in several transactions, and its keys stay the store's own.
"""

import secrets
from functools import partial

import httpx

from shop.exercises.live import CountRule, Counts, LiveComparison, RatioRule, own_products
from shop.exercises.live_arm import LiveArm, LiveRequest
from shop.exercises.live_shoppers import shoppers_with_carts
from shop.exercises.verdict import CannotJudge
from shop.lab.store_client import API

BURST = 3
PRODUCTS = own_products("idempotency", 5)
PIECES = 1000
LOOK = "The first request under a key claims it before the work; every other one gets its response, or 409 meanwhile."


def measure_duplicates(arm: LiveArm) -> Counts:
    """Let shoppers send one change of their carts several times at once under one key, and count the pieces."""
    arm.sell_products(on_hand=PIECES)
    with shoppers_with_carts(arm, max(1, arm.count // BURST)) as guests:
        slugs = [arm.products[number % len(arm.products)] for number in range(len(guests))]
        requests = [_add_piece(guest, slug) for guest, slug in zip(guests, slugs, strict=True)]
        arm.send([request for request in requests for _ in range(BURST)], BURST)
        added = [pieces - 1 for pieces in arm.in_parallel([partial(_count_pieces, guest) for guest in guests])]
    return {
        "duplicates": sum(max(0, pieces - 1) for pieces in added),
        "not-done": sum(pieces == 0 for pieces in added),
        "added": sum(added),
    }


def _add_piece(guest: httpx.Client, slug: str) -> LiveRequest:
    """Return the request that puts one more piece of a product into a cart."""
    body = {"product": slug, "quantity": 1}
    return LiveRequest(f"{API}/cart/items", "POST", {"Idempotency-Key": secrets.token_hex(16)}, body, guest)


def _count_pieces(guest: httpx.Client) -> int:
    try:
        return int(guest.get(f"{API}/cart").json()["count"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise CannotJudge(f"A cart could not be read ({type(error).__name__}): see `bin/shop status`.") from None


COMPARISON = LiveComparison(
    did=f"changes of a cart, each sent {BURST} times at once under one Idempotency-Key",
    measure=measure_duplicates,
    rate=12.0,
    counts=(
        CountRule(
            "duplicates", "pieces beyond the first of a request", "no piece is put into a cart twice", LOOK, at_most=0
        ),
        CountRule("not-done", "requests that put no piece into a cart", "each request is executed", LOOK, at_most=0),
        CountRule("added", "pieces put into carts"),
    ),
    ratio=RatioRule("added", at_most=2.0, look=LOOK),
    experiment="checkout-retries",
    own_products=PRODUCTS,
)
