"""The behaviour settings of the simulator: faults that tests and the lab set while it runs, from this machine only.

The ledger stores the settings, so a killed provider restarts with the same settings; ``DELETE /admin/settings`` resets
them. The stack's fault ``payments`` has its own row, which takes precedence over the manual settings. When the fault
ends, the manual settings apply again.
"""

import sqlite3
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class BehaviourSettings(BaseModel):
    """All settings. A rate is the probability for each single call or message."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outage: bool = False
    """Answer 503 to every call, and send no webhooks."""
    latency_ms: int = Field(default=0, ge=0, le=60_000)
    """Delay each call."""
    latency_jitter_ms: int = Field(default=0, ge=0, le=60_000)
    """Delay each call by up to so much more."""
    error_rate: Share = 0.0
    """Calls that get 503 before any work is done."""
    decline_rate: Share = 0.0
    """Charges that are declined, for any card."""
    refund_refusal_rate: Share = 0.0
    """Refunds that are refused, although the charge is not refunded entirely."""
    silent_rate: Share = 0.0
    """Charges that are made without a response."""
    webhook_url: str | None = None
    """The address of webhooks; no webhooks if unset."""
    webhook_delay_ms: int = Field(default=300, ge=0, le=60_000)
    """From the change to its first message: sooner than a real provider, later than the response."""
    webhook_retry_ms: int = Field(default=1_000, ge=1, le=60_000)
    """From a failed delivery to the next attempt; it doubles with each attempt."""
    webhook_duplicate_rate: Share = 0.0
    """Messages that are sent again after a successful delivery."""
    webhook_reorder_rate: Share = 0.0
    """Messages that are delayed, so later ones overtake them."""
    webhook_loss_rate: Share = 0.0
    """Messages that are never sent."""


BY_HAND, BY_FAULT = "all", "fault"
"""Names of the rows of the table."""
TABLE = "CREATE TABLE IF NOT EXISTS controls (name TEXT PRIMARY KEY, document TEXT NOT NULL)"


def load(connection: sqlite3.Connection, defaults: BehaviourSettings) -> BehaviourSettings:
    """Return the settings in force: a fault's settings before the manual settings before the defaults."""
    settings = defaults
    for name in (BY_HAND, BY_FAULT):
        settings = settings.model_copy(update=_read(connection, name).model_dump(exclude_unset=True))
    return settings


def change(connection: sqlite3.Connection, changes: BehaviourSettings) -> None:
    """Change those manual settings that are set in ``changes``; the others stay."""
    _write(connection, BY_HAND, _read(connection, BY_HAND).model_copy(update=changes.model_dump(exclude_unset=True)))


def reset(connection: sqlite3.Connection) -> None:
    """Reset the manual settings. The settings of a fault stay; the stack ends them."""
    _write(connection, BY_HAND, BehaviourSettings())


def set_fault(connection: sqlite3.Connection, settings: BehaviourSettings) -> None:
    """Replace the settings of the last fault; settings without any value end the fault."""
    _write(connection, BY_FAULT, settings)


def _read(connection: sqlite3.Connection, name: str) -> BehaviourSettings:
    row = connection.execute("SELECT document FROM controls WHERE name = ?", (name,)).fetchone()
    return BehaviourSettings() if row is None else BehaviourSettings.model_validate_json(row[0])


def _write(connection: sqlite3.Connection, name: str, document: BehaviourSettings) -> None:
    row = (name, document.model_dump_json(exclude_unset=True))
    connection.execute("INSERT OR REPLACE INTO controls (name, document) VALUES (?, ?)", row)
