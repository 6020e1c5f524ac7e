from sqlalchemy import text

NEXT = text("""
SELECT * FROM outbox WHERE due_at <= clock_timestamp() ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
""")
DELETE = text("DELETE FROM outbox WHERE id = :id")


def relay_outbox(database, publish):
    with database.transaction() as session:
        messages = session.execute(NEXT).all()
        for message in messages:
            publish(message)
            session.execute(DELETE, {"id": message.id})
    return len(messages)
