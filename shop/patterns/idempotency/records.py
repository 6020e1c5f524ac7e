"""Keys in PostgreSQL, beside the work they protect: claimed with one statement, finished with the COMMIT.

Where that transaction is one with the work, a process that dies takes its claim with it. Where it is not, the claim
stands in the table until ``claimed_until``, and whoever comes after that takes it over.
"""

import uuid
from datetime import timedelta
from typing import cast

from sqlalchemy import ColumnElement, Connection, Executable, Table, and_, delete, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.patterns.idempotency.keys import Key
from shop.patterns.idempotency.models import IdempotencyKey
from shop.patterns.idempotency.rules import Answer, Seen

CLAIM = text("""
WITH turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(:lock) AS mine,
           set_config('idle_in_transaction_session_timeout', :patience_ms, true)
), claimed AS (
    INSERT INTO idempotency_keys AS held (owner, route, key, fingerprint, claim, claimed_until, expires_at)
    SELECT :owner, :route, :key, :fingerprint, :claim, clock_timestamp() + :lease, clock_timestamp() + :kept
      FROM turn WHERE mine
    ON CONFLICT (owner, route, key) DO UPDATE
       SET fingerprint = excluded.fingerprint, claim = excluded.claim, claimed_until = excluded.claimed_until,
           expires_at = excluded.expires_at, status = NULL, body = NULL, content_type = NULL, location = NULL
     WHERE held.expires_at < clock_timestamp()
        OR held.status IS NULL AND held.fingerprint = excluded.fingerprint
           AND (held.claimed_until < clock_timestamp() OR held.claim = excluded.claim)
    RETURNING true AS taken
)
SELECT coalesce(claimed.taken, false) AS taken, held.fingerprint = :fingerprint AS same,
       held.status, held.body, held.content_type, held.location
  FROM turn
  LEFT JOIN claimed ON true
  LEFT JOIN idempotency_keys AS held ON (held.owner, held.route, held.key) = (:owner, :route, :key)
""")
"""The try-lock tells a request that is under way from one that is not without waiting for it: its row is not committed
yet, and an INSERT would wait. What is read of ``held`` is what was there before this statement. The transaction is
ended by PostgreSQL if its process falls silent inside it, so a claim held by a machine that vanished ends too."""
REAPED_AT_ONCE = 1_000
"""Rows a statement: short enough that nobody waits for it."""

_table = cast(Table, IdempotencyKey.__table__)


class Records:
    """The keys that were used.

    Args:
        kept_for: how long an answer is kept; the published promise.
        lease: how long a claim holds that nobody finishes; longer than a request can take.
    """

    def __init__(self, kept_for: timedelta, lease: timedelta) -> None:
        self._kept_for = kept_for
        self._lease = lease

    def claim(self, session: Session | Connection, key: Key, claim: uuid.UUID) -> Seen:
        """Take a key for the caller's transaction, if it is free; one statement either way.

        Args:
            session: the caller's transaction.
            key: what is claimed.
            claim: the caller's own mark; claiming again under it is well.
        """
        row = session.execute(
            CLAIM,
            {
                "owner": key.owner,
                "route": key.route,
                "key": key.key,
                "fingerprint": key.fingerprint,
                "claim": claim,
                "lock": key.lock,
                "lease": self._lease,
                "kept": self._kept_for,
                "patience_ms": str(int(self._lease.total_seconds() * 1000)),
            },
        ).one()
        answer = None if row.status is None else Answer(row.status, row.body, row.content_type, row.location)
        return Seen(row.taken, row.same, answer)

    @staticmethod
    def finishing(key: Key, claim: uuid.UUID, answer: Answer) -> Executable:
        """Return the statement that writes down what was answered; it does nothing once another took the claim over."""
        return update(_table).where(_is(key), _table.c.claim == claim).values(_columns(answer))

    @staticmethod
    def forgetting(key: Key, claim: uuid.UUID) -> Executable:
        """Return the statement that frees a claimed key again."""
        return delete(_table).where(_is(key), _table.c.claim == claim, _table.c.status.is_(None))

    def keeping(self, key: Key, claim: uuid.UUID, answer: Answer) -> Executable:
        """Return the statement that keeps an answer to a request that did nothing, and so has no claim any more."""
        return (
            insert(_table)
            .values(
                owner=key.owner,
                route=key.route,
                key=key.key,
                fingerprint=key.fingerprint,
                claim=claim,
                claimed_until=func.now(),
                expires_at=func.clock_timestamp() + self._kept_for,
                **_columns(answer),
            )
            .on_conflict_do_nothing()
        )

    @staticmethod
    def reap(session: Session) -> int:
        """Delete keys whose time is over, at most :data:`REAPED_AT_ONCE`; return how many.

        Several may do it at once: what one of them has locked the others pass over.
        """
        found = session.execute(
            text(
                "DELETE FROM idempotency_keys WHERE (owner, route, key) IN (SELECT owner, route, key"
                " FROM idempotency_keys WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT :most"
                " FOR UPDATE SKIP LOCKED) RETURNING true"
            ),
            {"most": REAPED_AT_ONCE},
        )
        return len(found.all())


def _is(key: Key) -> ColumnElement[bool]:
    return and_(_table.c.owner == key.owner, _table.c.route == key.route, _table.c.key == key.key)


def _columns(answer: Answer) -> dict[str, object]:
    return {
        "status": answer.status,
        "body": answer.body,
        "content_type": answer.content_type,
        "location": answer.location,
    }
