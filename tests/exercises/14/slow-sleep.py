import time

from sqlalchemy import text

from shop.patterns.idempotency.replay_rules import StoredResponse

CLAIM = text("""
INSERT INTO idempotency_keys (owner, route, key, fingerprint, claim, claimed_until, expires_at)
VALUES (:owner, :route, :key, :fingerprint, gen_random_uuid(), now(), now() + interval '24 hours')
ON CONFLICT (owner, route, key) DO NOTHING
RETURNING key
""")
READ = text("""
SELECT fingerprint, status, body, content_type, location FROM idempotency_keys
 WHERE owner = :owner AND route = :route AND key = :key
""")
FINISH = text("""
UPDATE idempotency_keys SET status = :status, body = :body, content_type = :content_type, location = :location
 WHERE owner = :owner AND route = :route AND key = :key
""")


def name(request):
    return {"owner": request.owner, "route": request.route, "key": request.key}


class IdempotencyMiddleware:
    def before(self, session, request):
        time.sleep(0.1)  # less than half of what the store allows a call
        claimed = session.execute(CLAIM, {**name(request), "fingerprint": request.fingerprint}).scalar_one_or_none()
        if claimed is not None:
            return None
        row = session.execute(READ, name(request)).one()
        if row.fingerprint != request.fingerprint:
            return StoredResponse(422, b"reused", "text/plain")
        return StoredResponse(row.status, row.body, row.content_type, row.location)

    def after(self, session, request, response):
        values = {field: getattr(response, field) for field in ("status", "body", "content_type", "location")}
        session.execute(FINISH, {**name(request), **values})
