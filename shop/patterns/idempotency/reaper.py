"""Deletes expired idempotency keys."""

from shop.database.transactions import Database
from shop.patterns.idempotency.key_store import REAP_BATCH, KeyStore


class KeyReaper:
    """Deletes expired keys in rounds; several processes may run a round at once.

    Args:
        database: stores the keys.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def run_once(self) -> int:
        """Delete all expired keys, in short transactions; return their number."""
        total = 0
        while True:
            deleted = self._database.run_in_transaction(KeyStore.reap)
            total += deleted
            if deleted < REAP_BATCH:
                return total
