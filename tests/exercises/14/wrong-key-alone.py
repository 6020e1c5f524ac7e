from sqlalchemy import text

from shop.patterns.idempotency.replay_rules import StoredResponse

CLAIM = text("""
INSERT INTO idempotency_keys (owner, route, key, fingerprint, claim, claimed_until, expires_at)
VALUES (:owner, :route, :key, :fingerprint, gen_random_uuid(), now(), now() + interval '24 hours')
ON CONFLICT DO NOTHING
""")
READ = text("""
SELECT fingerprint, status, body, content_type, location FROM idempotency_keys
 WHERE key = :key
""")
FINISH = text("""
UPDATE idempotency_keys SET status = :status, body = :body, content_type = :content_type, location = :location
 WHERE owner = :owner AND route = :route AND key = :key
""")
IN_PROGRESS = StoredResponse(409, b"in progress", "text/plain")
REUSED = StoredResponse(422, b"reused", "text/plain")


def values(request, response=None):
    fields = ("owner", "route", "key", "fingerprint")
    stored = {} if response is None else vars_of(response)
    return {name: getattr(request, name) for name in fields} | stored


def vars_of(response):
    return {name: getattr(response, name) for name in ("status", "body", "content_type", "location")}


def stored(row):
    return StoredResponse(row.status, row.body, row.content_type, row.location)


class IdempotencyMiddleware:
    def before(self, session, request):
        row = session.execute(READ, values(request)).first()
        if row is not None:
            if row.fingerprint != request.fingerprint:
                return REUSED
            return IN_PROGRESS if row.status is None else stored(row)
        session.execute(CLAIM, values(request))
        return None

    def after(self, session, request, response):
        session.execute(FINISH, values(request, response))
