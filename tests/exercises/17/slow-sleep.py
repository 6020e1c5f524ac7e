import time

from sqlalchemy import text

RECORD = text("""
INSERT INTO handled_messages (consumer, message_id) VALUES (:consumer, :message_id)
ON CONFLICT (consumer, message_id) DO NOTHING RETURNING message_id
""")


def process_once(database, consumer, message_id, work):
    time.sleep(0.12)
    with database.transaction() as session:
        recorded = session.execute(RECORD, {"consumer": consumer, "message_id": message_id}).first()
        if recorded:
            work(session)
    return recorded is not None
