from sqlalchemy import text

NEXT = text("""
SELECT * FROM outbox o WHERE due_at <= clock_timestamp() ORDER BY id LIMIT 1 FOR UPDATE OF o SKIP LOCKED
""")
DELETE = text("DELETE FROM outbox WHERE id = :id")


def relay_outbox(database, publish):
    with database.transaction() as session:
        message = session.execute(NEXT).first()
        if message is None:
            return 0
        publish(message)
        session.execute(DELETE, {"id": message.id})
        return 1
