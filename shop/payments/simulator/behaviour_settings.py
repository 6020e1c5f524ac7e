"""How the provider misbehaves, set while it runs: by tests and by the lab, from this machine only.

These are faults on purpose, and named as such. They are kept in the books, so that a provider that is killed comes back
with the same manners; ``DELETE /admin/settings`` ends them. What the stack's own fault ``payments`` wants is kept
beside what was set by hand and goes before it: when the fault ends, what was set by hand stands again.
"""

import sqlite3
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class BehaviourSettings(BaseModel):
    """Everything that can be set. Shares are of the calls or messages they concern, drawn one by one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outage: bool = False
    """Answer 503 to everything, do nothing, send nothing."""
    latency_ms: int = Field(default=0, ge=0, le=60_000)
    """Wait before each call is looked at."""
    latency_jitter_ms: int = Field(default=0, ge=0, le=60_000)
    """Wait up to so much longer."""
    error_rate: Share = 0.0
    """Calls answered 503 before anything is done."""
    decline_rate: Share = 0.0
    """Charges declined, whatever the card."""
    refund_refusal_rate: Share = 0.0
    """Refunds refused, although there is money left to give back."""
    silent_rate: Share = 0.0
    """Charges made and never answered."""
    webhook_url: str | None = None
    """Where what happened is told; nowhere if unset."""
    webhook_delay_ms: int = Field(default=300, ge=0, le=60_000)
    """From the change to its first message: sooner than any real provider, later than its own answer."""
    webhook_retry_ms: int = Field(default=1_000, ge=1, le=60_000)
    """From a message nobody took to the next try; doubles with each."""
    webhook_duplicate_rate: Share = 0.0
    """Messages sent once more after they were taken."""
    webhook_reorder_rate: Share = 0.0
    """Messages held back, so that later ones overtake them."""
    webhook_loss_rate: Share = 0.0
    """Messages that are never sent."""


BY_HAND, BY_FAULT = "all", "fault"
"""Rows of the table."""
TABLE = "CREATE TABLE IF NOT EXISTS controls (name TEXT PRIMARY KEY, document TEXT NOT NULL)"


def load(connection: sqlite3.Connection, defaults: BehaviourSettings) -> BehaviourSettings:
    """Return how it is told to behave: the defaults, over them what was set, and over that what a fault wants."""
    stands = defaults
    for name in (BY_HAND, BY_FAULT):
        stands = stands.model_copy(update=_row(connection, name).model_dump(exclude_unset=True))
    return stands


def change(connection: sqlite3.Connection, given: BehaviourSettings) -> None:
    """Set what was given; the rest stays."""
    _write(connection, BY_HAND, _row(connection, BY_HAND).model_copy(update=given.model_dump(exclude_unset=True)))


def reset(connection: sqlite3.Connection) -> None:
    """Forget all that was set; a fault is ended by whoever ordered it."""
    _write(connection, BY_HAND, BehaviourSettings())


def set_fault(connection: sqlite3.Connection, wanted: BehaviourSettings) -> None:
    """Put what a fault wants in the place of what the last one wanted; nothing set ends it."""
    _write(connection, BY_FAULT, wanted)


def _row(connection: sqlite3.Connection, name: str) -> BehaviourSettings:
    row = connection.execute("SELECT document FROM controls WHERE name = ?", (name,)).fetchone()
    return BehaviourSettings() if row is None else BehaviourSettings.model_validate_json(row[0])


def _write(connection: sqlite3.Connection, name: str, document: BehaviourSettings) -> None:
    row = (name, document.model_dump_json(exclude_unset=True))
    connection.execute("INSERT OR REPLACE INTO controls (name, document) VALUES (?, ?)", row)
