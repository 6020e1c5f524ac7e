from sqlalchemy import text

CLAIM = text("""
WITH first AS (
    SELECT DISTINCT ON (aggregate, aggregate_id) id FROM outbox ORDER BY aggregate, aggregate_id, id
), free AS (
    SELECT id FROM outbox JOIN first USING (id)
     WHERE due_at <= clock_timestamp() AND coalesce(claimed_until, '-infinity') < clock_timestamp()
     ORDER BY id LIMIT 20
       FOR UPDATE OF outbox SKIP LOCKED
)
UPDATE outbox SET claimed_until = clock_timestamp() + interval '10 seconds' FROM free WHERE outbox.id = free.id
RETURNING outbox.*
""")
DELETE = text("DELETE FROM outbox WHERE id = ANY(:ids)")
RELEASE = text("UPDATE outbox SET claimed_until = NULL WHERE id = ANY(:ids)")


def relay_outbox(database, publish):
    with database.transaction() as session:
        waiting = sorted(session.execute(CLAIM).all(), key=lambda row: row.id)
    published = []
    try:
        while waiting:
            publish(waiting[0])
            published.append(waiting.pop(0).id)
    finally:
        with database.transaction() as session:
            session.execute(DELETE, {"ids": published})
            session.execute(RELEASE, {"ids": [row.id for row in waiting]})
    return len(published)
