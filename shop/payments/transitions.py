"""The statuses of a payment, and the transitions between them that are allowed. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class PaymentStatus(StrEnum):
    """The status of a payment."""

    PENDING = "pending"
    ABANDONED = "abandoned"
    CHARGED = "charged"
    REFUND_PENDING = "refund_pending"
    """The store asks the provider for the refund again and again."""
    REFUND_FAILED = "refund_failed"
    """The store has stopped asking. Staff must act."""
    REFUND_CLOSED = "refund_closed"
    """Staff has settled the refund in another way."""
    DECLINED = "declined"
    REFUNDED = "refunded"


TRANSITIONS: Mapping[PaymentStatus, frozenset[PaymentStatus]] = MappingProxyType(
    {
        PaymentStatus.PENDING: frozenset(
            {PaymentStatus.CHARGED, PaymentStatus.DECLINED, PaymentStatus.ABANDONED, PaymentStatus.REFUND_PENDING}
        ),
        # the charge can succeed after the store has given it up
        PaymentStatus.ABANDONED: frozenset({PaymentStatus.REFUND_PENDING}),
        PaymentStatus.CHARGED: frozenset({PaymentStatus.REFUND_PENDING}),
        PaymentStatus.REFUND_PENDING: frozenset(
            {PaymentStatus.REFUNDED, PaymentStatus.REFUND_FAILED, PaymentStatus.REFUND_CLOSED}
        ),
        PaymentStatus.REFUND_FAILED: frozenset({PaymentStatus.REFUNDED, PaymentStatus.REFUND_CLOSED}),
        # a refund can be in progress when staff closes it, and then succeed
        PaymentStatus.REFUND_CLOSED: frozenset({PaymentStatus.REFUNDED}),
        PaymentStatus.DECLINED: frozenset(),
        PaymentStatus.REFUNDED: frozenset(),
    }
)
"""Each status with the statuses that may follow it."""
PREDECESSORS: Mapping[PaymentStatus, list[str]] = MappingProxyType(
    {status: [before.value for before, ends in TRANSITIONS.items() if status in ends] for status in TRANSITIONS}
)
"""Each status with the statuses that it may follow."""
STATUSES = tuple(status.value for status in TRANSITIONS)
OWED_STATUSES = (PaymentStatus.REFUND_PENDING.value, PaymentStatus.REFUND_FAILED.value)
"""The statuses in which a refund is due."""
