from sqlalchemy import text

CLAIM = text("""
UPDATE outbox SET claimed_until = clock_timestamp() + interval '10 seconds'
 WHERE id IN (
    SELECT message.id FROM outbox AS message
     WHERE message.due_at <= clock_timestamp()
       AND (message.claimed_until IS NULL OR message.claimed_until < clock_timestamp())
       AND NOT EXISTS (
           SELECT FROM outbox AS earlier
            WHERE (earlier.aggregate, earlier.aggregate_id) = (message.aggregate, message.aggregate_id)
              AND earlier.id < message.id)
     ORDER BY message.id LIMIT 100
       FOR UPDATE OF message SKIP LOCKED)
RETURNING *
""")
DELETE = text("DELETE FROM outbox WHERE id = :id")


def relay_outbox(database, publish):
    with database.transaction() as session:
        messages = session.execute(CLAIM).all()
    for message in sorted(messages, key=lambda row: row.id):
        publish(message)
        with database.transaction() as session:
            session.execute(DELETE, {"id": message.id})
    return len(messages)
