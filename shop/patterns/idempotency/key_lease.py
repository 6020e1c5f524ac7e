"""How a key accompanies work of several transactions: claimed with the first, finished with the last.

The work's own records say how far it came (recovery points); the key only says who is at it, and what was answered.
"""

import uuid
from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy.orm import Session

from shop.database.transactions import Database
from shop.patterns.idempotency.key_store import KeyStore
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.rules import StoredResponse, raise_unless_claimed

ResponseBuilder = Callable[[Session, Any], StoredResponse | None]
"""Makes the answer out of what the work came to, reading through the session it is given."""


class KeyLease(Protocol):
    """What work of several phases is given to protect itself with."""

    def claim(self, session: Session) -> None:
        """Take the key, as the first statement of the first phase.

        Raises:
            ReplayedRequest: the request was answered before.
            InvalidFields: the key was used for another request.
            StateConflict: a request under it is under way.
        """

    def finish(self, session: Session, outcome: Any) -> None:
        """Write the answer down in the transaction of the last phase."""

    def close(self, answer: StoredResponse | None) -> None:
        """End the claim after the last phase, where that did not: keep the answer, or free the key for another try."""


class NoLease:
    """Work that came without a key."""

    def claim(self, session: Session) -> None:
        """Let the work go on."""

    def finish(self, session: Session, outcome: Any) -> None:
        """Keep nothing."""

    def close(self, answer: StoredResponse | None) -> None:
        """Free nothing."""


class PhasedLease:
    """The guard of one request.

    Args:
        database: where keys are kept.
        records: the keys.
        key: the request's.
        answering: makes the answer; returns ``None`` for what cannot be made inside a transaction.
    """

    def __init__(self, database: Database, records: KeyStore, key: RequestKey, answering: ResponseBuilder) -> None:
        self._database = database
        self._records = records
        self._key = key
        self._claim = uuid.uuid4()
        self._answering = answering
        self._is_claimed = False
        self._is_finished = False

    def claim(self, session: Session) -> None:
        """As :meth:`Guard.claim`."""
        raise_unless_claimed(self._records.claim(session, self._key, self._claim))
        Database.after_commit(session, self._claimed)

    def finish(self, session: Session, outcome: Any) -> None:
        """As :meth:`Guard.finish`; with the COMMIT, and so without a round trip of its own."""
        answer = self._answering(session, outcome)
        if answer is not None:
            Database.execute_with_commit(session, self._records.finish_statement(self._key, self._claim, answer))
            Database.after_commit(session, self._finished)

    def close(self, answer: StoredResponse | None) -> None:
        """As :meth:`Guard.close`; one round trip, and none where nothing is open."""
        if not self._is_claimed or self._is_finished:
            return
        with self._database.transaction() as session:
            Database.execute_with_commit(
                session,
                self._records.release_statement(self._key, self._claim)
                if answer is None
                else self._records.finish_statement(self._key, self._claim, answer),
            )

    def _claimed(self) -> None:
        self._is_claimed = True

    def _finished(self) -> None:
        self._is_finished = True
