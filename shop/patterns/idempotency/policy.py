"""What becomes of keys: honoured, or, to see what they are worth, ignored. The web layer asks one of the two."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from shop.database.transactions import Database, OuterTransaction
from shop.patterns.idempotency.key_lease import KeyLease, NoLease, PhasedLease, ResponseBuilder
from shop.patterns.idempotency.key_store import KeyStore
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.rules import StoredResponse, raise_unless_claimed


class KeyedWork(Protocol):
    """Work of one transaction, under way."""

    @property
    def is_open(self) -> bool:
        """Whether what was done so far can still be committed."""

    def finish(self, answer: StoredResponse | None) -> None:
        """Commit it at the end of the block together with its answer; with ``None``, and free the key again."""

    def undo(self) -> None:
        """Roll all of it back, and with it the claim."""


class IdempotencyPolicy(Protocol):
    """What becomes of keys."""

    is_enforced: bool
    """Whether a key means anything."""

    def one_transaction(self, key: RequestKey) -> AbstractContextManager[KeyedWork]:
        """Claim a key and make the block one transaction with that.

        Raises:
            ReplayedRequest: the request was answered before.
            InvalidFields: the key was used for another request.
            StateConflict: a request under it is under way.
            ServiceUnavailable: the database is away or busy.
        """

    def store(self, key: RequestKey, answer: StoredResponse) -> None:
        """Keep the answer to a request that did nothing."""

    def lease(self, key: RequestKey, answering: ResponseBuilder) -> KeyLease:
        """Return what accompanies work of several transactions."""


class EnforceKeys:
    """Every request with a key is done once.

    Args:
        database: where the work is done and keys are kept.
        records: the keys.
    """

    is_enforced = True

    def __init__(self, database: Database, records: KeyStore) -> None:
        self._database = database
        self._records = records

    @contextmanager
    def one_transaction(self, key: RequestKey) -> Iterator[KeyedWork]:
        """As :meth:`Keeper.one_transaction`. A process that dies inside takes its claim with it."""
        claim = uuid.uuid4()
        with self._database.enclosing() as outer:
            with outer.session() as session:
                raise_unless_claimed(self._records.claim(session, key, claim))
            yield _ClaimedWork(outer, self._records, key, claim)

    def store(self, key: RequestKey, answer: StoredResponse) -> None:
        """As :meth:`Keeper.keep`; one round trip."""
        with self._database.transaction() as session:
            Database.execute_with_commit(session, self._records.store_statement(key, uuid.uuid4(), answer))

    def lease(self, key: RequestKey, answering: ResponseBuilder) -> KeyLease:
        """As :meth:`Keeper.guard`."""
        return PhasedLease(self._database, self._records, key, answering)


class _ClaimedWork:
    """Work whose key is the caller's."""

    def __init__(self, outer: OuterTransaction, records: KeyStore, key: RequestKey, claim: uuid.UUID) -> None:
        self._outer = outer
        self._records = records
        self._key = key
        self._claim = claim

    @property
    def is_open(self) -> bool:
        return self._outer.is_open

    def finish(self, answer: StoredResponse | None) -> None:
        self._outer.execute_with_commit(
            self._records.release_statement(self._key, self._claim)
            if answer is None
            else self._records.finish_statement(self._key, self._claim, answer)
        )

    def undo(self) -> None:
        self._outer.roll_back()


class IgnoreKeys:
    """Every request is done as often as it comes (unsafe)."""

    is_enforced = False

    @contextmanager
    def one_transaction(self, key: RequestKey) -> Iterator[KeyedWork]:
        """Let the block do as it would without a key."""
        yield _UnclaimedWork()

    def store(self, key: RequestKey, answer: StoredResponse) -> None:
        """Keep nothing."""

    def lease(self, key: RequestKey, answering: ResponseBuilder) -> KeyLease:
        """Return a guard that keeps nothing."""
        return NoLease()


class _UnclaimedWork:
    """Work that is nobody's key's."""

    is_open = True

    def finish(self, answer: StoredResponse | None) -> None:
        pass

    def undo(self) -> None:
        pass
