from sqlalchemy import text

LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext(:name))")
RECORD = text("""
INSERT INTO handled_messages (consumer, message_id) VALUES (:consumer, :message_id) ON CONFLICT DO NOTHING
""")


def process_once(database, consumer, message_id, work):
    with database.transaction() as session:
        if not session.execute(LOCK, {"name": f"{consumer} {message_id}"}).scalar():
            return False  # another worker has it
        if session.execute(RECORD, {"consumer": consumer, "message_id": message_id}).rowcount == 0:
            return False
        work(session)
    return True
