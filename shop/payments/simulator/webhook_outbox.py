"""The outbox of webhooks: a message is written in the transaction of its change, and marked after its delivery.

A message is delivered at least once; failed deliveries are repeated with growing pauses. One process delivers, so its
memory has the messages in delivery; a killed process delivers them again.
"""

import json
import random
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from shop.backoff import ExponentialBackoff
from shop.patterns.observability import correlation
from shop.payments.simulator.behaviour_settings import BehaviourSettings

TABLE = """
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    ids TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'taken', 'given_up')),
    attempts INTEGER NOT NULL DEFAULT 0,
    repeats INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_owed ON messages (due_at) WHERE state = 'owed';
"""
EXTRA_DELAY_S = (0.5, 2.0)
"""The delay of a message that others must overtake, or of a duplicate."""
MAX_PAUSE_S = 60.0
MAX_ATTEMPTS = 20
"""With the pauses 15 minutes in all; a real provider continues for days."""


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A queued message, with the correlation ids of the call that caused it."""

    id: str
    body: bytes
    ids: Mapping[str, str]
    attempts: int


class LedgerConnections(Protocol):
    """The connections to the ledger."""

    changed: threading.Event

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open a connection for reading."""

    def writing(self, *, flushed: bool = True) -> AbstractContextManager[sqlite3.Connection]:
        """Open a transaction; it commits at the end of the block, flushed to disk by default."""


def enqueue(connection: sqlite3.Connection, behaviour: BehaviourSettings, event: str, data: Mapping[str, Any]) -> None:
    """Insert a message in the caller's transaction, if a webhook address is set.

    Args:
        connection: the caller's transaction.
        behaviour: the address, the delay, and the rates of faults.
        event: the event type, such as ``charge.succeeded``.
        data: the charge after the change.
    """
    if behaviour.webhook_url is None:
        return
    message_id = f"evt_{secrets.token_hex(12)}"
    due_at = time.time() + behaviour.webhook_delay_ms / 1000
    if random.random() < behaviour.webhook_reorder_rate:
        due_at += random.uniform(*EXTRA_DELAY_S)
    state = "given_up" if random.random() < behaviour.webhook_loss_rate else "owed"
    body = json.dumps({"id": message_id, "type": event, "data": dict(data)})
    connection.execute(
        "INSERT INTO messages (id, body, ids, state, due_at) VALUES (?, ?, ?, ?, ?)",
        (message_id, body, json.dumps(correlation.outgoing_headers()), state, due_at),
    )


class WebhookOutbox:
    """The queued messages.

    Args:
        ledger: stores the messages.
    """

    def __init__(self, ledger: LedgerConnections) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._leased: set[str] = set()

    @contextmanager
    def lease_next(self) -> Iterator[WebhookMessage | None]:
        """Lease a due message for the block; ``None`` if no message is due."""
        with self._lock:
            message = self._next_due()
            if message is not None:
                self._leased.add(message.id)
        try:
            yield message
        finally:
            if message is not None:
                with self._lock:
                    self._leased.discard(message.id)

    def wait(self, max_s: float) -> None:
        """Wait until a message may be due that was not due at the last poll, which began with :meth:`start_poll`.

        Args:
            max_s: the longest wait.
        """
        with self._ledger.reading() as connection:
            (due_at,) = connection.execute("SELECT min(due_at) FROM messages WHERE state = 'owed'").fetchone()
        self._ledger.changed.wait(max_s if due_at is None else min(max_s, max(0.0, due_at - time.time())))

    def start_poll(self) -> None:
        """Begin a poll: a message that is written from now on ends the next :meth:`wait`."""
        self._ledger.changed.clear()

    def mark_delivered(self, message: WebhookMessage, behaviour: BehaviourSettings) -> None:
        """Mark a message as delivered, unless a duplicate is to be sent."""
        is_duplicated = random.random() < behaviour.webhook_duplicate_rate
        due_at = time.time() + random.uniform(*EXTRA_DELAY_S)
        with self._ledger.writing(flushed=False) as connection:  # a crash that loses this commit causes a duplicate
            repeated = connection.execute(
                "UPDATE messages SET repeats = 1, due_at = ? WHERE id = ? AND repeats = 0 AND ?",
                (due_at, message.id, is_duplicated),
            )
            if not repeated.rowcount:
                connection.execute("UPDATE messages SET state = 'taken' WHERE id = ?", (message.id,))

    def mark_failed(self, message: WebhookMessage, behaviour: BehaviourSettings) -> None:
        """Record a failed delivery, and the time of the next attempt."""
        attempts = message.attempts + 1
        pause_s = ExponentialBackoff(behaviour.webhook_retry_ms / 1000, MAX_PAUSE_S).bound_s(attempts)
        state = "owed" if attempts < MAX_ATTEMPTS else "given_up"
        with self._ledger.writing(flushed=False) as connection:
            connection.execute(
                "UPDATE messages SET attempts = ?, due_at = ?, state = ? WHERE id = ?",
                (attempts, time.time() + pause_s, state, message.id),
            )

    def give_up_all(self) -> None:
        """Give up all messages that are not delivered."""
        with self._ledger.writing() as connection:
            connection.execute("UPDATE messages SET state = 'given_up' WHERE state = 'owed'")

    def count_by_state(self) -> dict[str, int]:
        """Return the number of messages in each state."""
        with self._ledger.reading() as connection:
            counts = dict(connection.execute("SELECT state, count(*) FROM messages GROUP BY state").fetchall())
        return {state: counts.get(state, 0) for state in ("owed", "taken", "given_up")}

    def _next_due(self) -> WebhookMessage | None:
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT id, body, ids, attempts FROM messages WHERE state = 'owed' AND due_at <= ?"
                " ORDER BY due_at LIMIT ?",
                (time.time(), len(self._leased) + 1),
            ).fetchall()
        for row in rows:
            if row["id"] not in self._leased:
                return WebhookMessage(row["id"], row["body"].encode(), json.loads(row["ids"]), row["attempts"])
        return None
