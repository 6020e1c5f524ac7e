from sqlalchemy import text

LOCK = text("SELECT pg_advisory_xact_lock(hashtext(:name))")
KNOWN = text("SELECT true FROM handled_messages WHERE consumer = :consumer AND message_id = :message_id")
RECORD = text("INSERT INTO handled_messages (consumer, message_id) VALUES (:consumer, :message_id)")


class ConsumerRecords:
    """Takes turns by a lock; then it may look before it writes."""

    def __call__(self, database, consumer, message_id, work):
        names = {"consumer": consumer, "message_id": message_id}
        with database.transaction() as session:
            session.execute(LOCK, {"name": f"{consumer}:{message_id}"})
            if session.execute(KNOWN, names).first():
                return False
            work(session)
            session.execute(RECORD, names)
            return True


process_once = ConsumerRecords()
