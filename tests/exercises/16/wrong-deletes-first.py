from sqlalchemy import text

TAKE = text("""
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox WHERE due_at <= clock_timestamp() ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)
RETURNING *
""")


def relay_outbox(database, publish):
    with database.transaction() as session:
        messages = session.execute(TAKE).all()
    for message in sorted(messages, key=lambda row: row.id):
        publish(message)
    return len(messages)
