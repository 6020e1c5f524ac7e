"""Messages the provider owes: written in the transaction of the change they tell of, crossed off once they were taken.

A message is sent at least once and, if nobody takes it, again and again with growing pauses. One process sends, so
which messages are on their way right now is kept in its memory; killed, it sends them again.
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
"""How long a message is held back that others shall overtake, or that is sent once more."""
MAX_PAUSE_S = 60.0
MAX_ATTEMPTS = 20
"""With the pauses a quarter of an hour; a real provider goes on for days."""


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """One message to send, with the correlation ids of the call that caused it."""

    id: str
    body: bytes
    ids: Mapping[str, str]
    attempts: int


class LedgerConnections(Protocol):
    """Where the books are."""

    changed: threading.Event

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open a connection to look."""

    def writing(self, *, flushed: bool = True) -> AbstractContextManager[sqlite3.Connection]:
        """Open a transaction; committed at the end, and flushed to disk unless that does not matter."""


def enqueue(connection: sqlite3.Connection, controls: BehaviourSettings, event: str, data: Mapping[str, Any]) -> None:
    """Write down a message, in the caller's transaction; none where nobody wants to be told.

    Args:
        connection: with the transaction of the change.
        controls: whether, when, and how unreliably it is sent.
        event: what happened, such as ``charge.succeeded``.
        data: the charge as it stands now.
    """
    if controls.webhook_url is None:
        return
    message_id = f"evt_{secrets.token_hex(12)}"
    due_at = time.time() + controls.webhook_delay_ms / 1000
    if random.random() < controls.webhook_reorder_rate:
        due_at += random.uniform(*EXTRA_DELAY_S)
    state = "given_up" if random.random() < controls.webhook_loss_rate else "owed"
    body = json.dumps({"id": message_id, "type": event, "data": dict(data)})
    connection.execute(
        "INSERT INTO messages (id, body, ids, state, due_at) VALUES (?, ?, ?, ?, ?)",
        (message_id, body, json.dumps(correlation.outgoing_headers()), state, due_at),
    )


class WebhookOutbox:
    """The messages of one provider.

    Args:
        books: where they are written.
    """

    def __init__(self, books: LedgerConnections) -> None:
        self._books = books
        self._lock = threading.Lock()
        self._on_their_way: set[str] = set()

    @contextmanager
    def lease_next(self) -> Iterator[WebhookMessage | None]:
        """Have a due message to oneself for the block; ``None`` where there is none."""
        with self._lock:
            message = self._next()
            if message is not None:
                self._on_their_way.add(message.id)
        try:
            yield message
        finally:
            if message is not None:
                with self._lock:
                    self._on_their_way.discard(message.id)

    def wait(self, most_s: float) -> None:
        """Return when a message may be due that was not at the last look, which began with :meth:`begin_look`.

        Args:
            most_s: return after this in any case.
        """
        with self._books.reading() as connection:
            (due_at,) = connection.execute("SELECT min(due_at) FROM messages WHERE state = 'owed'").fetchone()
        self._books.changed.wait(most_s if due_at is None else min(most_s, max(0.0, due_at - time.time())))

    def start_poll(self) -> None:
        """Let what is written from now on end the next :meth:`wait`."""
        self._books.changed.clear()

    def mark_delivered(self, message: WebhookMessage, controls: BehaviourSettings) -> None:
        """Cross a message off, unless it is to be sent once more on purpose."""
        again = random.random() < controls.webhook_duplicate_rate
        due_at = time.time() + random.uniform(*EXTRA_DELAY_S)
        with self._books.writing(flushed=False) as connection:  # lost in a crash, it is only sent once more
            repeated = connection.execute(
                "UPDATE messages SET repeats = 1, due_at = ? WHERE id = ? AND repeats = 0 AND ?",
                (due_at, message.id, again),
            )
            if not repeated.rowcount:
                connection.execute("UPDATE messages SET state = 'taken' WHERE id = ?", (message.id,))

    def mark_failed(self, message: WebhookMessage, controls: BehaviourSettings) -> None:
        """Note that nobody took it, and when to try again."""
        attempts = message.attempts + 1
        pause_s = ExponentialBackoff(controls.webhook_retry_ms / 1000, MAX_PAUSE_S).bound_s(attempts)
        state = "owed" if attempts < MAX_ATTEMPTS else "given_up"
        with self._books.writing(flushed=False) as connection:
            connection.execute(
                "UPDATE messages SET attempts = ?, due_at = ?, state = ? WHERE id = ?",
                (attempts, time.time() + pause_s, state, message.id),
            )

    def give_up_all(self) -> None:
        """Stop owing what is owed."""
        with self._books.writing() as connection:
            connection.execute("UPDATE messages SET state = 'given_up' WHERE state = 'owed'")

    def count_by_state(self) -> dict[str, int]:
        """Return how many messages are owed, taken and given up."""
        with self._books.reading() as connection:
            found = dict(connection.execute("SELECT state, count(*) FROM messages GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in ("owed", "taken", "given_up")}

    def _next(self) -> WebhookMessage | None:
        with self._books.reading() as connection:
            rows = connection.execute(
                "SELECT id, body, ids, attempts FROM messages WHERE state = 'owed' AND due_at <= ?"
                " ORDER BY due_at LIMIT ?",
                (time.time(), len(self._on_their_way) + 1),
            ).fetchall()
        for row in rows:
            if row["id"] not in self._on_their_way:
                return WebhookMessage(row["id"], row["body"].encode(), json.loads(row["ids"]), row["attempts"])
        return None
