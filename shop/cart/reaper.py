"""Deletes abandoned carts of guests, after the guest's cookie has expired."""

from datetime import timedelta

from sqlalchemy import text

from shop.database.transactions import Database

REAPED_AT_ONCE = 1_000
"""The most carts that one statement deletes, so that its locks are short."""
GRACE_FACTOR = 2
"""An addition starts the lifetime of a guest's cookie again, and so do other writes to the session. A cart is kept for
this multiple of the lifetime, so that no cookie refers to a deleted cart."""
REAP = text("""
DELETE FROM carts WHERE id IN (
    SELECT id FROM carts
     WHERE user_id IS NULL AND created_at < now() - :age AND updated_at < now() - :age
     ORDER BY created_at LIMIT :most FOR UPDATE SKIP LOCKED
) RETURNING true
""")
"""Filters by the creation time, whose index no addition has to update, then by the last addition."""


class CartReaper:
    """The body of a background loop; two processes may run it at once.

    Args:
        database: stores the carts.
        cookie_lifetime: of a guest's cookie.
    """

    def __init__(self, database: Database, cookie_lifetime: timedelta) -> None:
        self._database = database
        self._age = GRACE_FACTOR * cookie_lifetime

    def run_once(self) -> int:
        """Delete all expired carts in short transactions; return the number of deleted carts."""
        total = 0
        while True:
            deleted = self._database.run_in_transaction(
                lambda session: len(session.execute(REAP, {"age": self._age, "most": REAPED_AT_ONCE}).all())
            )
            total += deleted
            if deleted < REAPED_AT_ONCE:
                return total
