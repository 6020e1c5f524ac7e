from sqlalchemy import text

RECORD = text("""
INSERT INTO handled_messages (consumer, message_id) VALUES (:consumer, :message_id)
""")
KNOWN = text("SELECT count(*) FROM handled_messages WHERE consumer = :consumer AND message_id = :message_id")


def process_once(database, consumer, message_id, work):
    names = {"consumer": consumer, "message_id": message_id}
    with database.transaction() as session:
        if session.execute(KNOWN, names).scalar():
            return False
        work(session)
        session.execute(RECORD, names)
    return True
