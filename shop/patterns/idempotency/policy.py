"""The idempotency policy: enforce the keys, or ignore them (switch off). The web layer calls one of the two."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from shop.database.transactions import Database, OuterTransaction
from shop.patterns.idempotency.key_lease import KeyLease, MultiTransactionLease, NoLease, ResponseBuilder
from shop.patterns.idempotency.key_store import KeyStore
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.replay_rules import StoredResponse, raise_unless_claimed


class KeyedWork(Protocol):
    """Work of one transaction, in progress."""

    @property
    def is_open(self) -> bool:
        """Return whether the transaction can still be committed."""

    def finish(self, response: StoredResponse | None) -> None:
        """Commit at the end of the block together with the response; with ``None``, release the key instead."""

    def undo(self) -> None:
        """Roll the work back, and the claim with it."""


class IdempotencyPolicy(Protocol):
    """Enforces or ignores idempotency keys."""

    is_enforced: bool
    """Whether keys have an effect."""

    def one_transaction(self, key: RequestKey) -> AbstractContextManager[KeyedWork]:
        """Claim a key, and run the block in the same transaction.

        Raises:
            ReplayedRequest: the request was executed before.
            InvalidFields: the key was used for another request.
            StateConflict: a request with the key is in progress.
            ServiceUnavailable: the database is down or busy.
        """

    def store(self, key: RequestKey, response: StoredResponse) -> None:
        """Store the response of a request whose transaction was rolled back."""

    def lease(self, key: RequestKey, build_response: ResponseBuilder) -> KeyLease:
        """Return the lease of a key, for work of several transactions."""


class EnforceKeys:
    """A request with a key is executed once.

    Args:
        database: has the work and the keys.
        key_store: has the statements.
    """

    is_enforced = True

    def __init__(self, database: Database, key_store: KeyStore) -> None:
        self._database = database
        self._key_store = key_store

    @contextmanager
    def one_transaction(self, key: RequestKey) -> Iterator[KeyedWork]:
        """Claim a key and run the block; if the process dies meanwhile, the claim is rolled back."""
        claim = uuid.uuid4()
        with self._database.enclosing() as outer:
            with outer.session() as session:
                raise_unless_claimed(self._key_store.claim(session, key, claim))
            yield _ClaimedWork(outer, self._key_store, key, claim)

    def store(self, key: RequestKey, response: StoredResponse) -> None:
        """Store the response in one round trip."""
        with self._database.transaction() as session:
            Database.execute_with_commit(session, self._key_store.store_statement(key, response))

    def lease(self, key: RequestKey, build_response: ResponseBuilder) -> KeyLease:
        """Return a lease that claims the key."""
        return MultiTransactionLease(self._database, self._key_store, key, build_response)


class _ClaimedWork:
    """Work whose transaction has claimed the key."""

    def __init__(self, outer: OuterTransaction, key_store: KeyStore, key: RequestKey, claim: uuid.UUID) -> None:
        self._outer = outer
        self._key_store = key_store
        self._key = key
        self._claim = claim

    @property
    def is_open(self) -> bool:
        return self._outer.is_open

    def finish(self, response: StoredResponse | None) -> None:
        self._outer.execute_with_commit(
            self._key_store.release_statement(self._key, self._claim)
            if response is None
            else self._key_store.finish_statement(self._key, self._claim, response)
        )

    def undo(self) -> None:
        self._outer.roll_back()


class IgnoreKeys:
    """A request is executed as often as it is sent (unsafe)."""

    is_enforced = False

    @contextmanager
    def one_transaction(self, key: RequestKey) -> Iterator[KeyedWork]:
        """Run the block as without a key."""
        yield _UnclaimedWork()

    def store(self, key: RequestKey, response: StoredResponse) -> None:
        """Store nothing."""

    def lease(self, key: RequestKey, build_response: ResponseBuilder) -> KeyLease:
        """Return a lease that does nothing."""
        return NoLease()


class _UnclaimedWork:
    """Work without a claim."""

    is_open = True

    def finish(self, response: StoredResponse | None) -> None:
        pass

    def undo(self) -> None:
        pass
