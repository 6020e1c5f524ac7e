import hashlib

from sqlalchemy import text

from shop.patterns.idempotency.replay_rules import StoredResponse

LOCK = text("SELECT pg_try_advisory_xact_lock(:number)")
READ = text("""
SELECT fingerprint, status, body, content_type, location FROM idempotency_keys
 WHERE owner = :owner AND route = :route AND key = :key
""")
STORE = text("""
INSERT INTO idempotency_keys (owner, route, key, fingerprint, claim, claimed_until, expires_at,
                              status, body, content_type, location)
VALUES (:owner, :route, :key, :fingerprint, gen_random_uuid(), now(), now() + interval '1 day',
        :status, :body, :content_type, :location)
""")


def respond(status, reason):
    return StoredResponse(status, reason.encode(), "text/plain")


class IdempotencyMiddleware:
    """Claims by a lock alone; the row is written once, with the response."""

    def before(self, session, request):
        identity = "\0".join((request.owner, request.route, request.key)).encode()
        number = int.from_bytes(hashlib.sha256(identity).digest()[:8], "big", signed=True)
        if not session.execute(LOCK, {"number": number}).scalar():
            return respond(409, "A request with this key is in progress.")
        row = session.execute(READ, {"owner": request.owner, "route": request.route, "key": request.key}).first()
        if row is None:
            return None
        if row.fingerprint != request.fingerprint:
            return respond(422, "This key was used for another request.")
        return StoredResponse(row.status, row.body, row.content_type, row.location)

    def after(self, session, request, response):
        session.execute(
            STORE,
            {
                "owner": request.owner,
                "route": request.route,
                "key": request.key,
                "fingerprint": request.fingerprint,
                "status": response.status,
                "body": response.body,
                "content_type": response.content_type,
                "location": response.location,
            },
        )
