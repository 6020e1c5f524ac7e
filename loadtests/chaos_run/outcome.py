"""The plan of one client's checkout, and its outcome as the client knows it. It uses no code of the store."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

SHARES: Mapping[str, float] = {
    "tok_ok": 0.80,
    "tok_slow": 0.04,
    "tok_declined": 0.08,
    "tok_timeout_charged": 0.04,
    "tok_error": 0.04,
}
"""Share of each payment token."""
SCARCE = 0.2
"""Share of carts with the scarce product."""
HASTY = 0.15
"""Share of clients that stop their first request after :data:`HASTE_S` and retry under the same key."""
HASTE_S = (0.05, 0.6)
TWICE = 0.1
"""Share of clients that send each request twice at the same time."""
GONE = 0.03
"""Share of clients that leave after the first request and ask again only after the run."""
SILENCE = 0.7
"""Share of the leaving clients whose card is charged without an answer, a usual reason to leave."""
CANCELS = 0.1
"""Share of clients with an order that cancel it."""
MOST_PIECES = 3

ORDERED, DECLINED, REFUSED, AWAY, NOTHING = "ordered", "declined", "refused", "away", "nothing"


@dataclass(frozen=True, slots=True)
class CheckoutPlan:
    """One planned checkout.

    Args:
        number: of the checkout; part of the e-mail address, by which its orders are found.
        product: slug.
        quantity: pieces.
        token: the payment token.
        haste_s: timeout of the first request, in seconds; ``None`` for a patient client.
        twice: whether each request is sent twice at the same time.
        gone: whether the client leaves after the first request.
        cancels: whether the client cancels its order.
    """

    number: int
    product: str
    quantity: int
    token: str
    haste_s: float | None
    twice: bool
    gone: bool
    cancels: bool

    @property
    def email(self) -> str:
        """Return the e-mail address of its orders."""
        return f"chaos-{self.number}@shop.test"


@dataclass(slots=True)
class CheckoutOutcome:
    """The outcome of a planned checkout, as far as the client knows it."""

    plan: CheckoutPlan
    end: str = NOTHING
    """``ordered``; ``declined``; ``refused`` finally; ``away``, no order after several 503; else ``nothing``."""
    orders: set[str] = field(default_factory=set)
    """Public ids in answers with status 201; all should be equal."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Pieces by slug, from an answer with status 201."""
    total: int = 0
    cancel: str = ""
    """The order's status after the cancellation; ``asked`` if the cancellation got no answer."""
    requests: int = 0
    cookies: Mapping[str, str] = field(default_factory=dict)
    senseless: list[str] = field(default_factory=list)
    """Answers that no client can use: a 500, an undocumented status, an error that is no problem document."""


def draw_plans(
    count: int, scarce: str, plentiful: tuple[str, ...], rng: random.Random, gone: float = GONE
) -> list[CheckoutPlan]:
    """Draw the plans of all checkouts.

    Args:
        count: number of checkouts.
        scarce: the product with too little stock.
        plentiful: the other products.
        rng: the source of randomness.
        gone: share of clients that leave.
    """
    tokens, weights = list(SHARES), list(SHARES.values())
    plans = []
    for number in range(count):
        leaves = rng.random() < gone
        unanswered = leaves and rng.random() < SILENCE
        hasty = leaves or rng.random() < HASTY
        plans.append(
            CheckoutPlan(
                number=number,
                product=scarce if rng.random() < SCARCE else rng.choice(plentiful),
                quantity=rng.randint(1, MOST_PIECES),
                token="tok_timeout_charged" if unanswered else rng.choices(tokens, weights)[0],
                haste_s=rng.uniform(*HASTE_S) if hasty else None,
                twice=rng.random() < TWICE,
                gone=leaves,
                cancels=rng.random() < CANCELS,
            )
        )
    return plans
