"""The statuses of a payment, and the changes between them that are allowed. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

TRANSITIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "pending": frozenset({"charged", "declined", "abandoned", "refund_pending"}),
        "abandoned": frozenset({"refund_pending"}),  # the charge that was given up came through after all
        "charged": frozenset({"refund_pending"}),
        "refund_pending": frozenset({"refunded", "refund_failed", "refund_closed"}),
        "refund_failed": frozenset({"refunded", "refund_closed"}),
        "refund_closed": frozenset({"refunded"}),  # an attempt was under way when staff closed it, and went well
        "declined": frozenset(),
        "refunded": frozenset(),
    }
)
"""Each status with the statuses that may follow it."""
PREDECESSORS: Mapping[str, list[str]] = MappingProxyType(
    {status: [before for before, ends in TRANSITIONS.items() if status in ends] for status in TRANSITIONS}
)
"""Each status with the statuses that it may follow."""
STATUSES = tuple(TRANSITIONS)
