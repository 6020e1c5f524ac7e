"""The store's own inbox, in the form of the exercise ``deduplicating-consumer``."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.queue.inbox import ConsumerInbox


def process_once(database: Any, consumer: str, message_id: uuid.UUID, work: Callable[[Session], None]) -> bool:
    """Do the work of a message once; see :class:`shop.exercises.interfaces.message_consumer.ProcessOnce`."""
    message = QueueMessage(message_id, "order", "A", "order.paid", {}, datetime.now(UTC))
    return ConsumerInbox(Database(database.engine), consumer).process_once(message, work)
