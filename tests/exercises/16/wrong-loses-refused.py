import logging

from sqlalchemy import text

DUE = text("""
SELECT * FROM outbox WHERE due_at <= clock_timestamp() ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
""")
DELETE = text("DELETE FROM outbox WHERE id = ANY(:ids)")


def relay_outbox(database, publish):
    with database.transaction() as session:
        messages = session.execute(DUE).all()
        for message in messages:
            try:
                publish(message)
            except Exception:
                logging.exception("message %s", message.id)
        session.execute(DELETE, {"ids": [message.id for message in messages]})
    return len(messages)
