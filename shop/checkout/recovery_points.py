"""The recovery points of a checkout, and the step that follows each outcome of the charge. Pure."""

from enum import StrEnum

from shop.payments.provider import ChargeDeclined, ChargeSucceeded
from shop.payments.service import NotCharged, Outcome, OutcomePending


class RecoveryPoint(StrEnum):
    """A point between two parts of a checkout. If the process dies there, another request or process continues.

    The database does not distinguish :attr:`PLACED` from :attr:`ANSWERED`: the next request charges again in both.
    """

    PLACED = "placed"
    """Order and payment are pending, stock is reserved. The charge was not tried yet."""
    ANSWERED = "answered"
    """The call to the provider has ended, with or without a known outcome, and the store has not recorded it. A
    repeated charge has the same key, so it never charges twice."""
    SETTLED = "settled"
    """The store has recorded the outcome. The order stays pending if the outcome is unknown."""


class RecoveryStep(StrEnum):
    """The step that follows the outcome of the charge."""

    PAY = "pay"
    """Mark the order as paid."""
    REFUSE = "refuse"
    """Cancel the order, because the card was declined."""
    UNDO = "undo"
    """Cancel the order, because nothing was charged, and free its key."""
    WAIT = "wait"
    """Leave the order pending, because the outcome is unknown."""


def next_step(outcome: Outcome, *, first_attempt: bool) -> RecoveryStep:
    """Return the step that follows the outcome of a charge. Pure.

    Args:
        outcome: the outcome.
        first_attempt: true if no earlier request can have sent this charge. If an earlier request may have sent it, a
            call that did not reach the provider does not prove that nothing was charged.
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
