"""What one client wants, and what she was told. Nothing here knows the store's insides."""

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
"""What is paid with."""
SCARCE = 0.2
"""Share of carts with the product of which there is not enough."""
HASTY = 0.15
"""Clients whose first request ends after :data:`HASTE_S`; they send it again under the same key."""
HASTE_S = (0.05, 0.6)
TWICE = 0.1
"""Clients who send the same request twice at once."""
GONE = 0.03
"""Those who leave as soon, and do not come back until all is over."""
SILENCE = 0.7
"""Share of them whose card was charged without an answer: it is why people leave."""
CANCELS = 0.1
"""Of those who got an order."""
MOST_PIECES = 3

ORDERED, DECLINED, REFUSED, AWAY, NOTHING = "ordered", "declined", "refused", "away", "nothing"


@dataclass(frozen=True, slots=True)
class Wish:
    """One check-out as it is meant to go.

    Args:
        number: of the check-out; makes its e-mail address, by which its orders are found.
        product: slug.
        quantity: pieces.
        token: what is paid with.
        haste_s: when the first request is given up, in seconds; ``None`` for a patient client.
        twice: whether each request is sent twice at once.
        gone: whether she leaves after the first.
        cancels: whether she cancels what she got.
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
        """Return the address her orders carry."""
        return f"chaos-{self.number}@shop.test"


@dataclass(slots=True)
class Told:
    """What came of a wish, as far as the client knows."""

    wish: Wish
    end: str = NOTHING
    """``ordered``, ``declined``, ``refused`` for good, ``away``: nothing ordered after several 503; else nothing."""
    orders: set[str] = field(default_factory=set)
    """Public ids in answers of 201; all the same one."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Slug to pieces, as the first 201 said."""
    total: int = 0
    cancel: str = ""
    """The status after the cancellation; ``asked`` where it was asked for and never answered."""
    requests: int = 0
    cookies: Mapping[str, str] = field(default_factory=dict)
    senseless: list[str] = field(default_factory=list)
    """Answers that mean nothing to her: a 500, a status nobody documents, a refusal that is no problem document."""


def wishes(count: int, scarce: str, usual: tuple[str, ...], chance: random.Random, gone: float = GONE) -> list[Wish]:
    """Draw what the clients want.

    Args:
        count: of check-outs.
        scarce: the product of which there is not enough.
        usual: the others.
        chance: draws.
        gone: the share of those who leave.
    """
    tokens, weights = list(SHARES), list(SHARES.values())
    found = []
    for number in range(count):
        leaves = chance.random() < gone
        unanswered = leaves and chance.random() < SILENCE
        hasty = leaves or chance.random() < HASTY
        found.append(
            Wish(
                number=number,
                product=scarce if chance.random() < SCARCE else chance.choice(usual),
                quantity=chance.randint(1, MOST_PIECES),
                token="tok_timeout_charged" if unanswered else chance.choices(tokens, weights)[0],
                haste_s=chance.uniform(*HASTE_S) if hasty else None,
                twice=chance.random() < TWICE,
                gone=leaves,
                cancels=chance.random() < CANCELS,
            )
        )
    return found
