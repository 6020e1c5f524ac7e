import logging

from sqlalchemy import text

NEXT = text("""
SELECT message.* FROM outbox AS message
 WHERE message.due_at <= clock_timestamp()
   AND NOT EXISTS (
       SELECT FROM outbox AS earlier
        WHERE (earlier.aggregate, earlier.aggregate_id) = (message.aggregate, message.aggregate_id)
          AND earlier.id < message.id)
 ORDER BY message.id LIMIT 100
   FOR UPDATE OF message SKIP LOCKED
""")
DELETE = text("DELETE FROM outbox WHERE id = :id")


def relay_outbox(database, publish):
    with database.transaction() as session:
        messages = session.execute(NEXT).all()
        for message in messages:
            try:
                publish(message)
            except Exception:
                logging.exception("message %s was not published, the next call tries again", message.id)
                continue
            session.execute(DELETE, {"id": message.id})
    return len(messages)
