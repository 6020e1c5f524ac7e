"""Exercise 17: a deduplicating consumer. Complete `process_once`, then run `bin/shop exercise check 17`."""

import uuid
from collections.abc import Callable

from sqlalchemy.orm import Session

from shop.exercises.interfaces.message_consumer import TransactionalDatabase


def process_once(
    database: TransactionalDatabase, consumer: str, message_id: uuid.UUID, work: Callable[[Session], None]
) -> bool:
    """Do the work of a message, unless this consumer has done it before.

    Args:
        database: `with database.transaction() as session:` opens a transaction, committed at the end of the block and
            rolled back if the block raises.
        consumer: its name.
        message_id: the same for every delivery of the message.
        work: handles the message, with the given session; may raise.

    Returns:
        Whether the work was done now; False if it was done before.
    """
    with database.transaction() as session:
        work(session)
    return True
