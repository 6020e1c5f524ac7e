"""What clients were told against what there is. Pure: two sides in, faults out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from .told import NOTHING, ORDERED, Told
from .truth import Order, Truth

DOUBLE, LOST, OVERSOLD, STUCK, SENSELESS = (
    "double charges",
    "lost orders",
    "oversold units",
    "stuck check-outs",
    "senseless answers",
)
FAULTS = (DOUBLE, LOST, OVERSOLD, STUCK, SENSELESS)
LEFT_OPEN_S = 60.0
"""Where the provider knows of no charge, the store waits 45 s for one that may be on its way."""
SOLD = ("paid", "shipped", "delivered")


def judge(told: Sequence[Told], truth: Truth, before: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Name every fault, as its kind and what happened.

    Args:
        told: what each client knows.
        truth: what there is.
        before: slug to pieces on the shelf before the first check-out.
    """
    for one in told:
        orders = truth.orders.get(one.wish.email, ())
        yield from _charged(one, orders)
        yield from _kept_word(one, orders)
        if one.end == NOTHING:
            yield STUCK, f"{one.wish.email}: no answer, not even afterwards"
        for answer in one.senseless:
            yield SENSELESS, f"{one.wish.email}: {answer}"
    yield from unfinished(truth)
    yield from _shelf(truth, before)


def unfinished(truth: Truth) -> Iterator[tuple[str, str]]:
    """Name each check-out that nobody brought to an end: at once where the money has moved, else after a minute."""
    for email, orders in truth.orders.items():
        for order in orders:
            if order.status == "pending_payment" and (order.kept or order.age_s >= LEFT_OPEN_S):
                yield STUCK, f"{email}: {order.public_id} still waits for its payment"
            if order.status == "cancelled" and order.kept:
                yield STUCK, f"{email}: {sum(order.kept)} are still to go back for {order.public_id}"


def _charged(one: Told, orders: Sequence[Order]) -> Iterator[tuple[str, str]]:
    """One wish is paid for once at most, and nothing is taken for an order that is not there."""
    charges = [amount for order in orders for amount in order.kept]
    bought = [order for order in orders if order.status in SOLD]
    if len(charges) > 1 or len(bought) > 1:
        yield DOUBLE, f"{one.wish.email}: {len(charges)} charges kept for {len(bought)} orders"
    for order in bought:
        if sum(order.kept) != order.total:
            yield DOUBLE, f"{one.wish.email}: {sum(order.kept)} kept for {order.public_id}, which is over {order.total}"


def _kept_word(one: Told, orders: Sequence[Order]) -> Iterator[tuple[str, str]]:
    """What a client was told is so."""
    by_id = {order.public_id: order for order in orders}
    if len(one.orders) > 1:
        yield LOST, f"{one.wish.email}: told of {len(one.orders)} orders under one key"
    for public_id in one.orders:
        order = by_id.get(public_id)
        if order is None:
            yield LOST, f"{one.wish.email}: told of {public_id}, and there is none"
        elif order.lines != one.lines or order.total != one.total:
            yield LOST, f"{one.wish.email}: {public_id} is not over what was told"
        elif order.status not in _may_be(one):
            yield LOST, f"{one.wish.email}: {public_id} is {order.status}; the client knows {one.end} {one.cancel}"
    if one.end not in (ORDERED, NOTHING) and any(order.status in SOLD for order in orders):
        yield LOST, f"{one.wish.email}: told {one.end}, and there is a paid order"


def _may_be(one: Told) -> tuple[str, ...]:
    match one.cancel:
        case "cancelled" | "refunded":
            return ("cancelled", "refunded")
        case "asked":
            return (*SOLD, "cancelled", "refunded")
        case _:
            return SOLD


def _shelf(truth: Truth, before: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Pieces sold are gone from the shelf, and no more were sold than there were."""
    sold: Counter[str] = Counter()
    for orders in truth.orders.values():
        for order in orders:
            if order.status in SOLD:
                sold.update(order.lines)
    for slug, there_were in before.items():
        on_hand, _ = truth.shelf[slug]
        too_many = max(sold[slug] - there_were, sold[slug] - (there_were - on_hand))
        for _ in range(max(0, too_many)):
            yield OVERSOLD, f"{slug}: {sold[slug]} sold of {there_were}, {on_hand} left"
