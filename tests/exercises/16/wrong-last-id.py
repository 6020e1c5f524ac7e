from sqlalchemy import text

NEW = text("""
SELECT * FROM outbox WHERE id > :last AND due_at <= clock_timestamp() ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
""")
DELETE = text("DELETE FROM outbox WHERE id = :id")
last_id = 0


def relay_outbox(database, publish):
    global last_id
    with database.transaction() as session:
        messages = session.execute(NEW, {"last": last_id}).all()
        for message in messages:
            publish(message)
            session.execute(DELETE, {"id": message.id})
            last_id = message.id
    return len(messages)
