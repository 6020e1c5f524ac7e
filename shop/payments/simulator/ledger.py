"""The provider's books: charges, refunds, what was answered under each idempotency key, and what is owed to be told.

A charge, the answer that reports it and the message about it are one SQLite transaction, so a killed process leaves all
or nothing, and a caller who asks again under the same key learns the truth.
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

from shop.payments.simulator import behaviour_settings as controls
from shop.payments.simulator import outbox

FILE = "payments/books.sqlite3"
"""Where the books are, in the state directory."""
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
SCHEMA += f"{outbox.TABLE}{controls.TABLE};"
BUSY_TIMEOUT_S = 5.0
"""How long a writer waits for another; each holds the file for about one flush to disk."""


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What a caller is told, and told again under the same key."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LedgerRequest:
    """A request that changes the books: which operation, under which key, for what."""

    operation: str
    key: str
    fingerprint: str


class KeyReused(Exception):
    """The key was used for another request."""


class ProviderLedger:
    """One SQLite file in write-ahead mode; flushed at every commit, as money should be.

    Args:
        path: the file; made, with its directory, if missing.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.changed = threading.Event()
        """Set by every write of this process; whoever waits for one clears it before looking."""
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    def recorded_answer(self, asked: LedgerRequest) -> RecordedAnswer | None:
        """Return what was answered under the key before, if anything was.

        Raises:
            KeyReused: it was another request.
        """
        with self.reading() as connection:
            return _remembered(connection, asked)

    def execute_once(
        self, asked: LedgerRequest, work: Callable[[sqlite3.Connection], RecordedAnswer]
    ) -> RecordedAnswer:
        """Do ``work`` and remember its answer in one transaction; return the first answer where there is one.

        Raises:
            KeyReused: the key was used for another request.
        """
        with self.writing() as connection:
            first = _remembered(connection, asked)
            if first is not None:
                return first
            answer = work(connection)
            connection.execute(
                "INSERT INTO answers (operation, key, fingerprint, status, body) VALUES (?, ?, ?, ?, ?)",
                (asked.operation, asked.key, asked.fingerprint, answer.status, json.dumps(answer.body)),
            )
            return answer

    def behaviour(self, defaults: controls.BehaviourSettings) -> controls.BehaviourSettings:
        """Return how the provider is told to behave."""
        with self.reading() as connection:
            return controls.load(connection, defaults)

    def import_charges(self, charges: Iterable[tuple[str, str, int, str]]) -> None:
        """Enter charges from before these books were opened, each an id, a key, an amount and a currency.

        Safe to do twice. What another data set had left under the same key is corrected, unless it was given back.
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
        """Return the charge made under a key, as a list of none or one."""
        with self.reading() as connection:
            return [charge_json(row) for row in connection.execute("SELECT * FROM charges WHERE key = ?", (key,))]

    def charges_after(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Return charges in the order they were entered, behind the one with the id ``after``, or from the first on."""
        with self.reading() as connection:
            start = connection.execute("SELECT rowid FROM charges WHERE id = ?", (after,)).fetchone()
            rows = connection.execute(
                "SELECT * FROM charges WHERE rowid > ? ORDER BY rowid LIMIT ?", (start[0] if start else 0, limit)
            )
            return [charge_json(row) for row in rows]

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open a connection to look."""
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
        """Open a transaction, committed at the end of the block.

        Args:
            flushed: whether it must survive a power cut; in write-ahead mode it survives ``kill -9`` either way.
        """
        with closing(self._connect()) as connection:
            if not flushed:
                connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("BEGIN IMMEDIATE")  # a reader that turned writer could find the file already taken
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
    """Enter a charge and return it as the API shows it."""
    charge_id = f"ch_{secrets.token_hex(12)}"
    connection.execute(
        "INSERT INTO charges (id, key, amount, currency, status, metadata) VALUES (?, ?, ?, ?, ?, ?)",
        (charge_id, key, amount, currency, status, json.dumps(metadata)),
    )
    return find_charge(connection, charge_id)


def find_charge(connection: sqlite3.Connection, charge_id: str) -> dict[str, Any]:
    """Return a charge that exists, as the API shows it."""
    return charge_json(connection.execute("SELECT * FROM charges WHERE id = ?", (charge_id,)).fetchone())


def write_refund(connection: sqlite3.Connection, charge_id: str, amount: int) -> dict[str, Any] | None:
    """Enter a refund; return ``None`` where the charge does not exist or has less than ``amount`` left to give back."""
    taken = connection.execute(
        "UPDATE charges SET refunded = refunded + :amount"
        " WHERE id = :id AND status = 'succeeded' AND refunded + :amount <= amount",
        {"amount": amount, "id": charge_id},
    )
    if not taken.rowcount:
        return None
    refund_id = f"re_{secrets.token_hex(12)}"
    connection.execute("INSERT INTO refunds (id, charge, amount) VALUES (?, ?, ?)", (refund_id, charge_id, amount))
    return {"id": refund_id, "charge": charge_id, "amount": amount, "status": "succeeded"}


def charge_json(row: sqlite3.Row) -> dict[str, Any]:
    """Return a charge as the API shows it."""
    return {**dict(row), "metadata": json.loads(row["metadata"])}


def _remembered(connection: sqlite3.Connection, asked: LedgerRequest) -> RecordedAnswer | None:
    row = connection.execute(
        "SELECT fingerprint, status, body FROM answers WHERE operation = ? AND key = ?", (asked.operation, asked.key)
    ).fetchone()
    if row is None:
        return None
    if row["fingerprint"] != asked.fingerprint:
        raise KeyReused
    return RecordedAnswer(row["status"], json.loads(row["body"]))
