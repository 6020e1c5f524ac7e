"""Where a checkout can stand, and what each answer of the provider leads to. Pure."""

from enum import StrEnum

from shop.payments.provider import ChargeDeclined, ChargeSucceeded
from shop.payments.service import NotCharged, Outcome, OutcomePending


class RecoveryPoint(StrEnum):
    """Where a checkout stands between its phases; whoever finds it there knows how to go on."""

    PLACED = "placed"
    """Order and payment are pending, stock is reserved. The charge may or may not have been tried."""
    ANSWERED = "answered"
    """The provider has answered; nothing of the answer is written down yet. Asked again, it answers the same."""
    SETTLED = "settled"
    """All is written down."""


class RecoveryStep(StrEnum):
    """What the provider's answer leads to."""

    PAY = "pay"
    REFUSE = "refuse"
    UNDO = "undo"
    WAIT = "wait"


def decide(outcome: Outcome, *, first_attempt: bool) -> RecoveryStep:
    """Decide what an answer leads to. Pure.

    Args:
        outcome: how the charge ended.
        first_attempt: whether no earlier request can have sent this charge. Only then does "could not be reached"
            mean "was not charged".
    """
    match outcome:
        case ChargeSucceeded():
            return RecoveryStep.PAY
        case ChargeDeclined():
            return RecoveryStep.REFUSE
        case NotCharged(conclusive=conclusive) if conclusive or first_attempt:
            return RecoveryStep.UNDO
        case NotCharged() | OutcomePending():
            return RecoveryStep.WAIT


class SettleResult(StrEnum):
    """What settling came to."""

    DONE = "done"
    ALREADY = "already"
    """Somebody else had settled it."""
    TOO_LATE = "too_late"
    """The money came after the order was cancelled: it has to go back."""
