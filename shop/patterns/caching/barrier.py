"""Waiting until every process has heard an invalidation, so that a writer reads what she wrote, wherever she asks.

Problem: an invalidation is acknowledged when Valkey has it. The other processes hear of it some milliseconds later, and
much later on a busy machine. Until then they serve their copies and the edge its page: who edits a price and looks at
once sees the old one.
Method: behind the invalidation the writer publishes a ticket. Messages arrive in order, so a listener that comes to the
ticket has dealt with the invalidation: it signs. Publishing tells how many listen, and so many signatures are waited
for. No longer than a moment: a process that hangs must not hold up those who edit. Only edits wait, no checkout does.
Source: Valkey's documentation of PUBLISH (its answer, and the order of messages) and of BLMPOP; Terry et al., "Session
Guarantees for Weakly Consistent Replicated Data", PDIS 1994 (read your writes).
"""

import secrets
import time
from typing import Any

from redis.exceptions import RedisError

from shop.patterns.caching.connections import ThreadConnections
from shop.patterns.caching.invalidation_bus import signatures, ticketing

BOUND_S = 0.5
"""Seconds a writer waits at most. A listener deals with an invalidation within milliseconds, where it gets its turn."""


class InvalidationBarrier:
    """Waits for all listeners.

    Args:
        url: the same address the shared level has.
        bound_s: seconds a writer waits at most.
    """

    def __init__(self, url: str, bound_s: float = BOUND_S) -> None:
        self._connections = ThreadConnections(url, 2 * bound_s)
        self._bound_s = bound_s

    def wait(self) -> bool:
        """Wait until what this thread has invalidated was heard by every listener; tell whether it was, in time."""
        missing: Any
        ticket, end = secrets.token_hex(8), time.monotonic() + self._bound_s
        try:
            missing = self._connections.exchange([ticketing(self._connections, ticket)])[0]
            while isinstance(missing, int) and missing > 0 and (left_s := end - time.monotonic()) > 0:
                taking = ("BLMPOP", f"{left_s:.3f}", 1, signatures(ticket), "LEFT", "COUNT", missing)
                answer = self._connections.exchange([taking])[0]
                missing = missing - len(answer[1]) if isinstance(answer, list) else None
        except (RedisError, OSError):
            return False  # then nothing is heard at all, and nothing is kept by what is not heard
        return bool(missing == 0)

    def close(self) -> None:
        """Give back every connection."""
        self._connections.close()
