"""The interface of the exercise ``idempotency``."""

from typing import TYPE_CHECKING, Protocol

from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.replay_rules import StoredResponse

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class IdempotencyHooks(Protocol):
    """Two hooks around the work of a request, in the transaction of the work.

    The store opens the transaction, calls :meth:`before`, does the work if that returned ``None``, calls :meth:`after`
    with the response, and commits. If anything raises, it rolls back. The hooks neither commit nor roll back.
    """

    def before(self, session: "Session", request: RequestKey) -> StoredResponse | None:
        """Claim the key of a request.

        Args:
            session: of the transaction.
            request: its owner, route and key, and the fingerprint of its body.

        Returns:
            ``None`` if the work is to be done; otherwise the response to send instead: the stored one of the first
            request, 422 if the key was used with another body, or 409 if a request with the key is in progress.
        """
        ...

    def after(self, session: "Session", request: RequestKey, response: StoredResponse) -> None:
        """Store the response of the work that was just done.

        Args:
            session: of the transaction.
            request: the same as before.
            response: to be replayed to every further request with the key.
        """
        ...


class IdempotencyMiddlewareFactory(Protocol):
    """Builds the hooks, once when a process of the store starts."""

    def __call__(self) -> IdempotencyHooks:
        """Return the hooks."""
        ...
