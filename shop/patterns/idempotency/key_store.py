"""Idempotency keys in PostgreSQL: claimed with one statement, and their responses stored with the COMMIT.

If the claim is in the transaction of the work, the death of the process rolls it back. If the work has several
transactions, the claim stays in the table until ``claimed_until``; a later request then takes it over.
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import PipelinedStatement
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.replay_rules import ClaimResult, StoredResponse

CLAIM = text("""
WITH turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(:lock) AS mine,
           set_config('idle_in_transaction_session_timeout', :idle_timeout_ms, true)
), claimed AS (
    INSERT INTO idempotency_keys AS stored (owner, route, key, fingerprint, claim, claimed_until, expires_at)
    SELECT :owner, :route, :key, :fingerprint, :claim, clock_timestamp() + :claim_ttl, clock_timestamp() + :ttl
      FROM turn WHERE mine
    ON CONFLICT (owner, route, key) DO UPDATE
       SET fingerprint = excluded.fingerprint, claim = excluded.claim, claimed_until = excluded.claimed_until,
           expires_at = excluded.expires_at, status = NULL, body = NULL, content_type = NULL, location = NULL
     WHERE stored.expires_at < clock_timestamp()
        OR stored.status IS NULL AND stored.fingerprint = ANY(:fingerprints)
           AND (stored.claimed_until < clock_timestamp() OR stored.claim = excluded.claim)
    RETURNING true AS is_acquired
)
SELECT coalesce(claimed.is_acquired, false) AS is_acquired, earlier.fingerprint = ANY(:fingerprints) AS same_request,
       earlier.status, earlier.body, earlier.content_type, earlier.location
  FROM turn
  LEFT JOIN claimed ON true
  LEFT JOIN idempotency_keys AS earlier ON (earlier.owner, earlier.route, earlier.key) = (:owner, :route, :key)
""")
"""Claims the key if it is free, and returns the row that another request has left.

``turn`` takes an advisory lock without waiting. It fails while another request with the key is in progress: that
request's row is not committed yet, and an INSERT would wait for its commit. ``stored`` is the row that the INSERT
conflicts with. ``earlier`` is the same row as it was before this statement. ``turn`` also sets a limit: PostgreSQL
rolls the transaction back if the client sends nothing for that long. So the claim of a lost machine is rolled back as
well."""
FINISH = text("""
UPDATE idempotency_keys SET status = :status, body = :body, content_type = :content_type, location = :location
 WHERE (owner, route, key) = (:owner, :route, :key) AND claim = :claim
""")
RELEASE = text("""
DELETE FROM idempotency_keys WHERE (owner, route, key) = (:owner, :route, :key) AND claim = :claim AND status IS NULL
""")
STORE = text("""
INSERT INTO idempotency_keys
       (owner, route, key, fingerprint, claim, claimed_until, expires_at, status, body, content_type, location)
VALUES (:owner, :route, :key, :fingerprint, :claim, now(), clock_timestamp() + :ttl,
        :status, :body, :content_type, :location)
ON CONFLICT DO NOTHING
""")
CHANGE_OWNER = text("""
WITH moved AS (
    DELETE FROM idempotency_keys WHERE owner = :old_owner AND status IS NOT NULL AND route LIKE ANY(:routes) RETURNING *
)
INSERT INTO idempotency_keys
       (owner, route, key, fingerprint, claim, claimed_until, status, body, content_type, location, created_at,
        expires_at)
SELECT :new_owner, route, key, fingerprint, claim, claimed_until, status, body, content_type, location, created_at,
       expires_at
  FROM moved
ON CONFLICT DO NOTHING
""")
REAP_BATCH = 1_000
"""Rows that one statement deletes: few enough that no request waits long for it."""


class KeyStore:
    """The statements on the table of keys.

    Args:
        ttl: how long a response is stored, as the API promises.
        claim_ttl: how long a claim without a response holds; longer than a request can take.
    """

    def __init__(self, ttl: timedelta, claim_ttl: timedelta) -> None:
        self._ttl = ttl
        self._claim_ttl = claim_ttl

    def claim(self, session: Session | Connection, key: RequestKey, claim: uuid.UUID) -> ClaimResult:
        """Claim a key in the caller's transaction, if it is free; one statement.

        Args:
            session: the caller's transaction.
            key: the key.
            claim: the caller's claim; the caller may claim again with it.
        """
        row = session.execute(
            CLAIM,
            {
                "owner": key.owner,
                "route": key.route,
                "key": key.key,
                "fingerprint": key.fingerprint,
                "fingerprints": [key.fingerprint, *key.older_fingerprints],
                "claim": claim,
                "lock": key.lock,
                "claim_ttl": self._claim_ttl,
                "ttl": self._ttl,
                "idle_timeout_ms": str(int(self._claim_ttl.total_seconds() * 1000)),
            },
        ).one()
        response = None if row.status is None else StoredResponse(row.status, row.body, row.content_type, row.location)
        return ClaimResult(row.is_acquired, row.same_request, response)

    @staticmethod
    def finish_statement(key: RequestKey, claim: uuid.UUID, response: StoredResponse) -> PipelinedStatement:
        """Return the statement that stores the response; it does nothing if another request took the claim over."""
        return PipelinedStatement(FINISH, {**_claim_parameters(key, claim), **asdict(response)})

    @staticmethod
    def release_statement(key: RequestKey, claim: uuid.UUID) -> PipelinedStatement:
        """Return the statement that releases a claimed key."""
        return PipelinedStatement(RELEASE, _claim_parameters(key, claim))

    def store_statement(self, key: RequestKey, response: StoredResponse) -> PipelinedStatement:
        """Return the statement that stores a response without a claim: the request's transaction was rolled back."""
        parameters = _claim_parameters(key, uuid.uuid4()) | asdict(response)
        return PipelinedStatement(STORE, {**parameters, "fingerprint": key.fingerprint, "ttl": self._ttl})

    @staticmethod
    def change_owner(session: Session, old_owner: str, new_owner: str, routes: Sequence[str]) -> None:
        """Move finished keys to another owner. If both owners have used a key, the new owner's row stays.

        Args:
            session: the caller's transaction.
            old_owner: the present owner.
            new_owner: the owner from now on.
            routes: patterns (SQL's LIKE) of the routes whose keys move. Keys of requests in progress stay.
        """
        session.execute(CHANGE_OWNER, {"old_owner": old_owner, "new_owner": new_owner, "routes": list(routes)})

    @staticmethod
    def reap(session: Session) -> int:
        """Delete expired keys, at most :data:`REAP_BATCH`; return their number.

        Several processes may do it at once: each skips rows that another has locked.
        """
        deleted = session.execute(
            text(
                "DELETE FROM idempotency_keys WHERE (owner, route, key) IN (SELECT owner, route, key"
                " FROM idempotency_keys WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT :most"
                " FOR UPDATE SKIP LOCKED) RETURNING true"
            ),
            {"most": REAP_BATCH},
        )
        return len(deleted.all())


def _claim_parameters(key: RequestKey, claim: uuid.UUID) -> dict[str, object]:
    return {"owner": key.owner, "route": key.route, "key": key.key, "claim": claim}
