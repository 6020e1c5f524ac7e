"""Keys in PostgreSQL, beside the work they protect: claimed with one statement, finished with the COMMIT.

Where that transaction is one with the work, a process that dies takes its claim with it. Where it is not, the claim
stands in the table until ``claimed_until``, and whoever comes after that takes it over.
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import DeferredStatement
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.rules import ClaimResult, StoredResponse

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
        OR held.status IS NULL AND held.fingerprint = ANY(:known)
           AND (held.claimed_until < clock_timestamp() OR held.claim = excluded.claim)
    RETURNING true AS taken
)
SELECT coalesce(claimed.taken, false) AS taken, held.fingerprint = ANY(:known) AS same,
       held.status, held.body, held.content_type, held.location
  FROM turn
  LEFT JOIN claimed ON true
  LEFT JOIN idempotency_keys AS held ON (held.owner, held.route, held.key) = (:owner, :route, :key)
""")
"""The try-lock tells a request that is under way from one that is not without waiting for it: its row is not committed
yet, and an INSERT would wait. What is read of ``held`` is what was there before this statement. The transaction is
ended by PostgreSQL if its process falls silent inside it, so a claim held by a machine that vanished ends too."""
FINISH = text("""
UPDATE idempotency_keys SET status = :status, body = :body, content_type = :content_type, location = :location
 WHERE (owner, route, key) = (:owner, :route, :key) AND claim = :claim
""")
FORGET = text("""
DELETE FROM idempotency_keys WHERE (owner, route, key) = (:owner, :route, :key) AND claim = :claim AND status IS NULL
""")
KEEP = text("""
INSERT INTO idempotency_keys
       (owner, route, key, fingerprint, claim, claimed_until, expires_at, status, body, content_type, location)
VALUES (:owner, :route, :key, :fingerprint, :claim, now(), clock_timestamp() + :kept,
        :status, :body, :content_type, :location)
ON CONFLICT DO NOTHING
""")
HAND_OVER = text("""
WITH given AS (
    DELETE FROM idempotency_keys WHERE owner = :giver AND status IS NOT NULL AND route LIKE ANY(:routes) RETURNING *
)
INSERT INTO idempotency_keys
       (owner, route, key, fingerprint, claim, claimed_until, status, body, content_type, location, created_at,
        expires_at)
SELECT :taker, route, key, fingerprint, claim, claimed_until, status, body, content_type, location, created_at,
       expires_at
  FROM given
ON CONFLICT DO NOTHING
""")
REAPED_AT_ONCE = 1_000
"""Rows a statement: short enough that nobody waits for it."""


class KeyStore:
    """The keys that were used.

    Args:
        kept_for: how long an answer is kept; the published promise.
        lease: how long a claim holds that nobody finishes; longer than a request can take.
    """

    def __init__(self, kept_for: timedelta, lease: timedelta) -> None:
        self._kept_for = kept_for
        self._lease = lease

    def claim(self, session: Session | Connection, key: RequestKey, claim: uuid.UUID) -> ClaimResult:
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
                "known": [key.fingerprint, *key.older],
                "claim": claim,
                "lock": key.lock,
                "lease": self._lease,
                "kept": self._kept_for,
                "patience_ms": str(int(self._lease.total_seconds() * 1000)),
            },
        ).one()
        answer = None if row.status is None else StoredResponse(row.status, row.body, row.content_type, row.location)
        return ClaimResult(row.taken, row.same, answer)

    @staticmethod
    def finish_statement(key: RequestKey, claim: uuid.UUID, answer: StoredResponse) -> DeferredStatement:
        """Return the statement that writes down what was answered; it does nothing once another took the claim over."""
        return DeferredStatement(FINISH, {**_named(key, claim), **asdict(answer)})

    @staticmethod
    def release_statement(key: RequestKey, claim: uuid.UUID) -> DeferredStatement:
        """Return the statement that frees a claimed key again."""
        return DeferredStatement(FORGET, _named(key, claim))

    def store_statement(self, key: RequestKey, claim: uuid.UUID, answer: StoredResponse) -> DeferredStatement:
        """Return the statement that keeps an answer to a request that did nothing, and so has no claim any more."""
        row = {**_named(key, claim), "fingerprint": key.fingerprint, "kept": self._kept_for, **asdict(answer)}
        return DeferredStatement(KEEP, row)

    @staticmethod
    def change_owner(session: Session, giver: str, taker: str, routes: Sequence[str]) -> None:
        """Let another owner be answered what one was answered; a key that both have used stays the taker's.

        Args:
            session: the caller's transaction.
            giver: whose keys they were.
            taker: whose they are from now on.
            routes: patterns (SQL's LIKE) of the routes whose keys move. What is still being worked on stays.
        """
        session.execute(HAND_OVER, {"giver": giver, "taker": taker, "routes": list(routes)})

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


def _named(key: RequestKey, claim: uuid.UUID) -> dict[str, object]:
    return {"owner": key.owner, "route": key.route, "key": key.key, "claim": claim}
