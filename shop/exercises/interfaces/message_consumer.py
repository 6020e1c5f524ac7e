"""The interface of the exercise ``deduplicating-consumer``."""

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class TransactionalDatabase(Protocol):
    """The database of the store."""

    def transaction(self) -> AbstractContextManager["Session"]:
        """Open a transaction: committed at the end of the block, rolled back if the block raises."""
        ...


class ProcessOnce(Protocol):
    """Handles one delivery of a message."""

    def __call__(
        self,
        database: TransactionalDatabase,
        consumer: str,
        message_id: uuid.UUID,
        work: "Callable[[Session], None]",
    ) -> bool:
        """Do the work of a message, unless this consumer has done it before.

        Args:
            database: has the work's tables and ``handled_messages``.
            consumer: its name.
            message_id: the same for every delivery of the message.
            work: handles the message, with the given session only; may raise.

        Returns:
            Whether the work was done now; ``False`` if it was done before.
        """
        ...
