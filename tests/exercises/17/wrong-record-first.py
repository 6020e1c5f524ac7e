from sqlalchemy import text

RECORD = text("""
INSERT INTO handled_messages (consumer, message_id) VALUES (:consumer, :message_id) ON CONFLICT DO NOTHING
""")


def process_once(database, consumer, message_id, work):
    with database.transaction() as session:
        is_new = session.execute(RECORD, {"consumer": consumer, "message_id": message_id}).rowcount == 1
    if is_new:
        with database.transaction() as session:
            work(session)
    return is_new
