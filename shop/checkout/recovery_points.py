"""The recovery points of a checkout, and the step that follows each answer of the provider. Pure."""

from enum import StrEnum

from shop.payments.provider import ChargeDeclined, ChargeSucceeded
from shop.payments.service import NotCharged, Outcome, OutcomePending


class RecoveryPoint(StrEnum):
    """The state of a checkout between two phases. From it, another request or process can continue the checkout."""

    PLACED = "placed"
    """Order and payment are pending, stock is reserved. The charge may or may not have been tried."""
    ANSWERED = "answered"
    """The provider has answered; the store has not recorded the answer. A repeated charge gets the same answer."""
    SETTLED = "settled"
    """Everything is recorded."""


class RecoveryStep(StrEnum):
    """The step that follows the provider's answer."""

    PAY = "pay"
    REFUSE = "refuse"
    UNDO = "undo"
    WAIT = "wait"


def decide(outcome: Outcome, *, first_attempt: bool) -> RecoveryStep:
    """Return the step that follows an answer. Pure.

    Args:
        outcome: the result of the charge.
        first_attempt: whether no earlier request can have sent this charge. Only then does "not reached" mean "not
            charged".
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
    """The result of the settle phase."""

    DONE = "done"
    ALREADY = "already"
    """Another request or process had settled the order."""
    TOO_LATE = "too_late"
    """The charge succeeded after the order was cancelled: it must be refunded."""
