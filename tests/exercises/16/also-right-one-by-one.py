from sqlalchemy import text

NEXT = text("""
SELECT message.* FROM outbox AS message
  LEFT JOIN outbox AS earlier
    ON earlier.aggregate = message.aggregate AND earlier.aggregate_id = message.aggregate_id AND earlier.id < message.id
 WHERE message.due_at <= clock_timestamp() AND earlier.id IS NULL
 ORDER BY message.id LIMIT 1
   FOR UPDATE OF message SKIP LOCKED
""")


def relay_outbox(database, publish):
    count = 0
    while relay_one(database, publish):
        count += 1
    return count


def relay_one(database, publish):
    with database.transaction() as session:
        message = session.execute(NEXT).first()
        if message is not None:
            publish(message)
            session.execute(text("DELETE FROM outbox WHERE id = :id"), {"id": message.id})
    return message is not None
