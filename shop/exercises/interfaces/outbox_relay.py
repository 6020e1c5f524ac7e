"""The interface of the exercise ``outbox-relay``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from shop.exercises.interfaces.message_consumer import TransactionalDatabase as TransactionalDatabase

if TYPE_CHECKING:
    from sqlalchemy import Row


class RelayOutbox(Protocol):
    """Publishes the messages of the outbox; several processes call it at once."""

    def __call__(self, database: TransactionalDatabase, publish: "Callable[[Row[Any]], None]") -> int:
        """Publish messages that are due, and delete each when the broker has confirmed it.

        Args:
            database: has the table ``outbox``.
            publish: sends one row of the table to the broker, with all its columns; returns when the broker has
                confirmed it, and raises if it has not.

        Returns:
            The number of published messages; 0 if none may be published that another relay does not have.
        """
        ...
