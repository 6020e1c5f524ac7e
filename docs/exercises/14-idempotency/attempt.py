"""Exercise 14: idempotency middleware. Complete both hooks, then run `bin/shop exercise check 14`."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.replay_rules import StoredResponse

INSERT = text("""
INSERT INTO idempotency_keys (owner, route, key, fingerprint, claim, claimed_until, expires_at)
VALUES (:owner, :route, :key, :fingerprint, gen_random_uuid(), now(), now() + interval '24 hours')
""")
"""The primary key is (owner, route, key). The columns status, body, content_type and location are NULL at first."""


class IdempotencyMiddleware:
    """Two hooks around the work of a request. The store opens one transaction for the hooks and the work."""

    def before(self, session: Session, request: RequestKey) -> StoredResponse | None:
        """Return None to have the work done, or the response to send instead.

        Args:
            session: of the transaction, which the store commits or rolls back.
            request: with the fields owner, route, key and fingerprint, all of them text.
        """
        return None

    def after(self, session: Session, request: RequestKey, response: StoredResponse) -> None:
        """Store the response of the work.

        Args:
            session: of the same transaction.
            request: the same as before.
            response: with the fields status, body (bytes), content_type and location.
        """
