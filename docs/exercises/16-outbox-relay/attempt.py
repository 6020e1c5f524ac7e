"""Exercise 16: the relay of an outbox. Mend `relay_outbox`, then run `bin/shop exercise check 16`."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row, text

from shop.exercises.interfaces.outbox_relay import TransactionalDatabase

DUE = text("SELECT * FROM outbox WHERE due_at <= clock_timestamp() ORDER BY id LIMIT 100")
DELETE = text("DELETE FROM outbox WHERE id = :id")


def relay_outbox(database: TransactionalDatabase, publish: Callable[[Row[Any]], None]) -> int:
    """Publish messages that are due, and delete each when the broker has confirmed it.

    Args:
        database: `with database.transaction() as session:` opens a transaction, committed at the end of the block.
        publish: sends one row of the table; returns when the broker has confirmed it, and raises if it has not.

    Returns:
        The number of published messages; 0 if none may be published that another relay does not have.
    """
    with database.transaction() as session:
        messages = session.execute(DUE).all()
        for message in messages:
            publish(message)
            session.execute(DELETE, {"id": message.id})
    return len(messages)
