"""The store's own relay, in the form of the exercise ``outbox-relay``."""

from collections.abc import Callable
from typing import Any

from shop.database.transactions import Database
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.outbox.relay import BATCH, OutboxRelay


def relay_outbox(database: Any, publish: Callable[[QueueMessage], None]) -> int:
    """Publish the messages of the outbox; see :class:`shop.exercises.interfaces.outbox_relay.RelayOutbox`."""
    return OutboxRelay(Database(database.engine), publish, lambda: BATCH).run_once()
