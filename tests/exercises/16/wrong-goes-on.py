import logging

from sqlalchemy import text

DUE = text("""
SELECT * FROM outbox WHERE due_at <= clock_timestamp() ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
""")
DELETE = text("DELETE FROM outbox WHERE id = :id")


def relay_outbox(database, publish):
    published = 0
    with database.transaction() as session:
        for message in session.execute(DUE).all():
            try:
                publish(message)
            except Exception:
                logging.exception("message %s was not published, the next call tries again", message.id)
                continue
            session.execute(DELETE, {"id": message.id})
            published += 1
    return published
