"""Checks the outcomes that clients know against the actual state. Pure functions: two sides in, faults out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from .actual_state import ActualOrder, ActualState
from .outcome import NOTHING, ORDERED, CheckoutOutcome

DOUBLE, LOST, OVERSOLD, STUCK, SENSELESS = (
    "double charges",
    "lost orders",
    "oversold units",
    "stuck check-outs",
    "senseless answers",
)
FAULTS = (DOUBLE, LOST, OVERSOLD, STUCK, SENSELESS)
LEFT_OPEN_S = 60.0
"""An order without a charge may stay open so long: the store waits 45 s for a charge that may still arrive."""
SOLD = ("paid", "shipped", "delivered")


def find_faults(
    outcomes: Sequence[CheckoutOutcome], state: ActualState, before: Mapping[str, int]
) -> Iterator[tuple[str, str]]:
    """Yield every fault, as its kind and a description.

    Args:
        outcomes: the outcome of each client.
        state: the actual state.
        before: the stock of each product before the first checkout.
    """
    for outcome in outcomes:
        orders = state.orders.get(outcome.plan.email, ())
        yield from _double_charges(outcome, orders)
        yield from _lost_orders(outcome, orders)
        if outcome.end == NOTHING:
            yield STUCK, f"{outcome.plan.email}: no answer, also after the run"
        for answer in outcome.senseless:
            yield SENSELESS, f"{outcome.plan.email}: {answer}"
    yield from find_stuck_checkouts(state)
    yield from _oversold_pieces(state, before)


def find_stuck_checkouts(state: ActualState) -> Iterator[tuple[str, str]]:
    """Yield each checkout that no process completed: at once if money was taken, otherwise after a minute."""
    for email, orders in state.orders.items():
        for order in orders:
            if order.status == "pending_payment" and (order.kept or order.age_s >= LEFT_OPEN_S):
                yield STUCK, f"{email}: {order.public_id} still waits for its payment"
            if order.status == "cancelled" and order.kept:
                yield STUCK, f"{email}: a refund of {sum(order.kept)} is missing for {order.public_id}"


def _double_charges(outcome: CheckoutOutcome, orders: Sequence[ActualOrder]) -> Iterator[tuple[str, str]]:
    """Check that a client paid at most once, and exactly the total of a sold order."""
    charges = [amount for order in orders for amount in order.kept]
    sold = [order for order in orders if order.status in SOLD]
    if len(charges) > 1 or len(sold) > 1:
        yield DOUBLE, f"{outcome.plan.email}: {len(charges)} charges kept for {len(sold)} orders"
    for order in sold:
        if sum(order.kept) != order.total:
            yield (
                DOUBLE,
                f"{outcome.plan.email}: {sum(order.kept)} kept for {order.public_id} with a total of {order.total}",
            )


def _lost_orders(outcome: CheckoutOutcome, orders: Sequence[ActualOrder]) -> Iterator[tuple[str, str]]:
    """Check that every answer to the client is true."""
    email, by_id = outcome.plan.email, {order.public_id: order for order in orders}
    if len(outcome.orders) > 1:
        yield LOST, f"{email}: the answers name {len(outcome.orders)} orders under one key"
    for public_id in outcome.orders:
        order = by_id.get(public_id)
        if order is None:
            yield LOST, f"{email}: the answer names {public_id}, which does not exist"
        elif order.lines != outcome.lines or order.total != outcome.total:
            yield LOST, f"{email}: {public_id} differs from the answer"
        elif order.status not in _allowed_statuses(outcome):
            yield LOST, f"{email}: {public_id} is {order.status}; the client knows {outcome.end} {outcome.cancel}"
    if outcome.end not in (ORDERED, NOTHING) and any(order.status in SOLD for order in orders):
        yield LOST, f"{email}: the answer was {outcome.end}, but a paid order exists"


def _allowed_statuses(outcome: CheckoutOutcome) -> tuple[str, ...]:
    match outcome.cancel:
        case "cancelled" | "refunded":
            return ("cancelled", "refunded")
        case "asked":
            return (*SOLD, "cancelled", "refunded")
        case _:
            return SOLD


def _oversold_pieces(state: ActualState, before: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Check that the stock fell by the sold pieces, and that no more pieces were sold than in stock."""
    sold: Counter[str] = Counter()
    for orders in state.orders.values():
        for order in orders:
            if order.status in SOLD:
                sold.update(order.lines)
    for slug, stock in before.items():
        on_hand, _ = state.stock[slug]
        excess = max(sold[slug] - stock, sold[slug] - (stock - on_hand))
        for _ in range(max(0, excess)):
            yield OVERSOLD, f"{slug}: {sold[slug]} sold of {stock}, {on_hand} left"
