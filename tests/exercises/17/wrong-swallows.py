import logging

from sqlalchemy import text

RECORD = text("""
INSERT INTO handled_messages (consumer, message_id) VALUES (:consumer, :message_id) ON CONFLICT DO NOTHING
""")


def process_once(database, consumer, message_id, work):
    try:
        with database.transaction() as session:
            if session.execute(RECORD, {"consumer": consumer, "message_id": message_id}).rowcount == 0:
                return False
            work(session)
    except Exception:
        logging.exception("message %s of %s", message_id, consumer)
        return False
    return True
