"""The provider's ledger: charges, refunds, the response of each idempotency key, and the queued webhooks.

One SQLite transaction writes a charge, its response and its webhook. So a killed process leaves all or nothing, and a
repeated call with the same key gets the right response.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shop.payments.simulator import behaviour_settings, webhook_outbox
from shop.payments.simulator.behaviour_settings import BehaviourSettings

FILE = "payments/books.sqlite3"
"""The ledger's file in the state directory."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'declined')),
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE IF NOT EXISTS refunds (
    id TEXT PRIMARY KEY,
    charge TEXT NOT NULL REFERENCES charges (id),
    amount INTEGER NOT NULL CHECK (amount > 0),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE TABLE IF NOT EXISTS answers (
    operation TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (operation, key)
);
"""
SCHEMA += f"{webhook_outbox.TABLE}{behaviour_settings.TABLE};"
BUSY_TIMEOUT_S = 5.0
"""The longest wait of a writer for another; each locks the file for about one flush to disk."""


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """The stored response of a key."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LedgerRequest:
    """A call that changes the ledger: its operation, its idempotency key, and the fingerprint of its body."""

    operation: str
    key: str
    fingerprint: str


class KeyReused(Exception):
    """The key was used with another body."""


class ProviderLedger:
    """One SQLite file in write-ahead mode. Every commit is flushed to disk, because it records money.

    Args:
        path: the file; it is created with its directory if missing.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.changed = threading.Event()
        """Set by every write of this process; a waiting thread clears it before it looks."""
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    def recorded_answer(self, call: LedgerRequest) -> RecordedAnswer | None:
        """Return the stored response of the key, if any.

        Raises:
            KeyReused: the key was used with another body.
        """
        with self.reading() as connection:
            return _find_answer(connection, call)

    def execute_once(self, call: LedgerRequest, work: Callable[[sqlite3.Connection], RecordedAnswer]) -> RecordedAnswer:
        """Do ``work`` and store its response in one transaction; return the stored response if there is one.

        Raises:
            KeyReused: the key was used with another body.
        """
        with self.writing() as connection:
            first = _find_answer(connection, call)
            if first is not None:
                return first
            answer = work(connection)
            connection.execute(
                "INSERT INTO answers (operation, key, fingerprint, status, body) VALUES (?, ?, ?, ?, ?)",
                (call.operation, call.key, call.fingerprint, answer.status, json.dumps(answer.body)),
            )
            return answer

    def behaviour(self, defaults: BehaviourSettings) -> BehaviourSettings:
        """Return the behaviour settings in force."""
        with self.reading() as connection:
            return behaviour_settings.load(connection, defaults)

    def import_charges(self, charges: Iterable[tuple[str, str, int, str]]) -> None:
        """Import charges from a data set, each with id, key, amount and currency.

        Safe to repeat. A charge of another data set with the same key is corrected, unless it is refunded.
        """
        with self.writing() as connection:
            connection.executemany(
                "INSERT INTO charges (id, key, amount, currency, status, metadata)"
                " VALUES (?, ?, ?, ?, 'succeeded', '{}')"
                " ON CONFLICT (key) DO UPDATE SET id = excluded.id, amount = excluded.amount,"
                " currency = excluded.currency WHERE refunded = 0",
                charges,
            )

    def charges_with_key(self, key: str) -> list[dict[str, Any]]:
        """Return the charge with a key, as a list with one or no charge."""
        with self.reading() as connection:
            return [charge_json(row) for row in connection.execute("SELECT * FROM charges WHERE key = ?", (key,))]

    def charges_after(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Return the page of charges after the one with the id ``after``, or the first page; oldest first."""
        with self.reading() as connection:
            start = connection.execute("SELECT rowid FROM charges WHERE id = ?", (after,)).fetchone()
            rows = connection.execute(
                "SELECT * FROM charges WHERE rowid > ? ORDER BY rowid LIMIT ?", (start[0] if start else 0, limit)
            )
            return [charge_json(row) for row in rows]

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for reading."""
        with closing(self._connect()) as connection:
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    @contextmanager
    def writing(self, *, flushed: bool = True) -> Iterator[sqlite3.Connection]:
        """Open a transaction; it commits at the end of the block.

        Args:
            flushed: whether the commit must survive a power failure; it survives ``kill -9`` in any case.
        """
        with closing(self._connect()) as connection:
            if not flushed:
                connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "BEGIN IMMEDIATE"
            )  # a deferred transaction could fail at its first write, because another writer has the lock
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        self.changed.set()


def write_charge(
    connection: sqlite3.Connection, key: str, *, amount: int, currency: str, status: str, metadata: dict[str, Any]
) -> dict[str, Any]:
    """Insert a charge and return it as JSON."""
    charge_id = f"ch_{secrets.token_hex(12)}"
    connection.execute(
        "INSERT INTO charges (id, key, amount, currency, status, metadata) VALUES (?, ?, ?, ?, ?, ?)",
        (charge_id, key, amount, currency, status, json.dumps(metadata)),
    )
    return find_charge(connection, charge_id)


def find_charge(connection: sqlite3.Connection, charge_id: str) -> dict[str, Any]:
    """Return an existing charge as JSON."""
    return charge_json(connection.execute("SELECT * FROM charges WHERE id = ?", (charge_id,)).fetchone())


def write_refund(connection: sqlite3.Connection, charge_id: str, amount: int) -> dict[str, Any] | None:
    """Insert a refund; return ``None`` if the charge does not exist or its remainder is smaller than ``amount``."""
    updated = connection.execute(
        "UPDATE charges SET refunded = refunded + :amount"
        " WHERE id = :id AND status = 'succeeded' AND refunded + :amount <= amount",
        {"amount": amount, "id": charge_id},
    )
    if not updated.rowcount:
        return None
    refund_id = f"re_{secrets.token_hex(12)}"
    connection.execute("INSERT INTO refunds (id, charge, amount) VALUES (?, ?, ?)", (refund_id, charge_id, amount))
    return {"id": refund_id, "charge": charge_id, "amount": amount, "status": "succeeded"}


def charge_json(row: sqlite3.Row) -> dict[str, Any]:
    """Return a row of ``charges`` as JSON."""
    return {**dict(row), "metadata": json.loads(row["metadata"])}


def _find_answer(connection: sqlite3.Connection, call: LedgerRequest) -> RecordedAnswer | None:
    row = connection.execute(
        "SELECT fingerprint, status, body FROM answers WHERE operation = ? AND key = ?", (call.operation, call.key)
    ).fetchone()
    if row is None:
        return None
    if row["fingerprint"] != call.fingerprint:
        raise KeyReused
    return RecordedAnswer(row["status"], json.loads(row["body"]))
