"""The lease of a key, for work of several transactions: claimed in the first one, finished in the last one.

The work's own records contain its progress (recovery points). The key only contains the present claim and, at the end,
the response.
"""

import uuid
from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.patterns.idempotency.key_store import KeyStore
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.replay_rules import StoredResponse, raise_unless_claimed

ResponseBuilder = Callable[[Session, Any], StoredResponse | None]
"""Builds the response from the result of the work; reads only with the given session. ``None`` if it cannot be built
inside a transaction."""


class KeyLease(Protocol):
    """Protects work of several transactions with the key of its request."""

    def claim(self, session: Session) -> None:
        """Claim the key, as the first statement of the first transaction.

        Raises:
            ReplayedRequest: the request was executed before.
            InvalidFields: the key was used for another request.
            StateConflict: a request with the key is in progress.
        """

    def finish(self, session: Session, outcome: Any) -> None:
        """Store the response in the last transaction."""

    def close(self, response: StoredResponse | None) -> None:
        """End a claim that the last transaction did not finish: store the response, or release the key."""


class NoLease:
    """The lease of a request without a key."""

    def claim(self, session: Session) -> None:
        """Do nothing."""

    def finish(self, session: Session, outcome: Any) -> None:
        """Do nothing."""

    def close(self, response: StoredResponse | None) -> None:
        """Do nothing."""


class MultiTransactionLease:
    """The lease of one request with a key.

    Args:
        database: stores the keys.
        key_store: has the statements.
        key: the request's.
        build_response: builds the response in the last transaction.
    """

    def __init__(
        self, database: Database, key_store: KeyStore, key: RequestKey, build_response: ResponseBuilder
    ) -> None:
        self._database = database
        self._key_store = key_store
        self._key = key
        self._claim = uuid.uuid4()
        self._build_response = build_response
        self._is_open = False
        """Whether a claim is committed and not finished."""

    def claim(self, session: Session) -> None:
        """Claim the key; see :meth:`KeyLease.claim`."""
        raise_unless_claimed(self._key_store.claim(session, self._key, self._claim))
        self._set_open_after_commit(session, is_open=True)

    def finish(self, session: Session, outcome: Any) -> None:
        """Store the response with the COMMIT, so without an additional round trip."""
        response = self._build_response(session, outcome)
        if response is not None:
            Database.execute_with_commit(session, self._key_store.finish_statement(self._key, self._claim, response))
            self._set_open_after_commit(session, is_open=False)

    def close(self, response: StoredResponse | None) -> None:
        """End an open claim in one round trip; do nothing if no claim is open."""
        if not self._is_open:
            return
        with self._database.transaction() as session:
            Database.execute_with_commit(
                session,
                self._key_store.release_statement(self._key, self._claim)
                if response is None
                else self._key_store.finish_statement(self._key, self._claim, response),
            )

    def _set_open_after_commit(self, session: Session, *, is_open: bool) -> None:
        def set_open() -> None:
            self._is_open = is_open

        Database.after_commit(session, set_open)
