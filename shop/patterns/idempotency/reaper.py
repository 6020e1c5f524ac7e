"""Forgets keys whose published time is over."""

from shop.database.transactions import Database
from shop.patterns.idempotency.key_store import REAPED_AT_ONCE, KeyStore


class KeyReaper:
    """A loop's body; safe to run twice at once.

    Args:
        database: where keys are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def run_once(self) -> int:
        """Delete all that is due, in short transactions; return how many keys that were."""
        total = 0
        while True:
            done = self._database.run_in_transaction(KeyStore.reap)
            total += done
            if done < REAPED_AT_ONCE:
                return total
