"""Forgets guests' carts to which no cookie leads any more."""

from datetime import timedelta

from sqlalchemy import text

from shop.database.transactions import Database

REAPED_AT_ONCE = 1_000
"""Carts a statement: short enough that nobody waits for it."""
GRACE_FACTOR = 2
"""A guest's cookie lasts its time after her last addition, and anew when something else of hers is remembered. A cart
is kept for twice that time, so that it is not missed."""
REAP = text("""
DELETE FROM carts WHERE id IN (
    SELECT id FROM carts
     WHERE user_id IS NULL AND created_at < now() - :age AND updated_at < now() - :age
     ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED
) RETURNING true
""")
"""By the time it was made, which has an index that no addition has to change; then by its last addition."""


class CartReaper:
    """A loop's body; safe to run twice at once.

    Args:
        database: where carts are kept.
        cookie_lifetime: how long a guest's cookie leads to her cart.
    """

    def __init__(self, database: Database, cookie_lifetime: timedelta) -> None:
        self._database = database
        self._age = GRACE_FACTOR * cookie_lifetime

    def run_once(self) -> int:
        """Delete all that is due, in short transactions; return how many carts that were."""
        total = 0
        while True:
            done = self._database.run_in_transaction(
                lambda session: len(session.execute(REAP, {"age": self._age, "most": REAPED_AT_ONCE}).all())
            )
            total += done
            if done < REAPED_AT_ONCE:
                return total
