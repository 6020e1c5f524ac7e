"""Exercise ``idempotency``: the hooks around the work of one transaction.

A checkout works in several transactions; its keys stay the store's own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop.errors import InvalidFields, StateConflict
from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.short_text import shorten
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.policy import EnforceKeys, IdempotencyPolicy, KeyedWork
from shop.patterns.idempotency.replay_rules import ReplayedRequest, StoredResponse

REUSED, IN_FLIGHT = 422, 409
RELEASE = text("DELETE FROM idempotency_keys WHERE (owner, route, key) = (:owner, :route, :key) AND status IS NULL")


class AttemptWork:
    """Work whose key the attempt has claimed.

    Args:
        attempt: the reader's code.
        hooks: what it returned.
        outer: the transaction.
        key: of the request.
    """

    def __init__(self, attempt: LoadedAttempt, hooks: Any, outer: Any, key: RequestKey) -> None:
        self._attempt = attempt
        self._hooks = hooks
        self._outer = outer
        self._key = key

    @property
    def is_open(self) -> bool:
        """Return whether the transaction can still be committed."""
        return bool(self._outer.is_open)

    def finish(self, response: StoredResponse | None) -> None:
        """Let the attempt store the response; with ``None``, release the key."""
        with self._outer.session() as session:
            if response is None:
                key = self._key
                session.execute(RELEASE, {"owner": key.owner, "route": key.route, "key": key.key})
                return
            arguments = (session, self._key, response)
            self._attempt.call("after(session, request, response)", self._hooks.after, arguments, self._attempt.refuse)

    def undo(self) -> None:
        """Roll the work back."""
        self._outer.roll_back()


class AttemptKeys(EnforceKeys):
    """The attempt in the form of an :class:`IdempotencyPolicy`.

    Args:
        attempt: the reader's code.
        hooks: what it returned.
        own: the store's own keys.
        database: has the work and the keys.
    """

    def __init__(self, attempt: LoadedAttempt, hooks: Any, own: EnforceKeys, database: Any) -> None:
        self._attempt = attempt
        self._hooks = hooks
        self._own = own
        self._work_database = database
        self.store = own.store  # type: ignore[method-assign]
        self.lease = own.lease  # type: ignore[method-assign]

    @contextmanager
    def one_transaction(self, key: RequestKey) -> Iterator[KeyedWork]:
        """Claim a key by the attempt, and run the block in the same transaction."""
        if self._attempt.is_suspended:
            with self._own.one_transaction(key) as work:
                yield work
            return
        with self._work_database.enclosing() as outer:
            with outer.session() as session:
                self._claim(session, key)
            yield AttemptWork(self._attempt, self._hooks, outer, key)

    def _claim(self, session: Session, key: RequestKey) -> None:
        arguments = (session, key)
        response: StoredResponse | None = self._attempt.call(
            "before(session, request)", self._hooks.before, arguments, self._attempt.refuse, _fault
        )
        if response is None:
            return
        if response.status == REUSED:
            raise InvalidFields("This key was used for another request; use a new one.")
        if response.status == IN_FLIGHT:
            raise StateConflict("A request with this key is in progress; try again in a moment.")
        raise ReplayedRequest(response)


def adapt(attempt: LoadedAttempt, default: IdempotencyPolicy, **tools: Any) -> IdempotencyPolicy:
    """Return a policy that asks the attempt; ``default`` if keys are ignored, or the attempt cannot be made."""
    hooks = attempt.once("hooks", lambda: attempt.make(f"{attempt.place.slot.defines}()", (), lambda: None))
    if hooks is None or not isinstance(default, EnforceKeys):
        return default
    return AttemptKeys(attempt, hooks, default, tools["database"])


def _fault(value: Any) -> str:
    is_response = value is None or isinstance(value, StoredResponse)
    return "" if is_response else f"{shorten(value)}, which is neither None nor a StoredResponse."
