"""What becomes of keys: honoured, or, to see what they are worth, ignored. The web layer asks one of the two."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from shop.patterns.idempotency.guard import Answering, Guard, NoGuard, PhasedGuard
from shop.patterns.idempotency.keys import Key
from shop.patterns.idempotency.records import Records
from shop.patterns.idempotency.rules import Answer, judge
from shop.unit_of_work import Database, Enclosing


class Work(Protocol):
    """Work of one transaction, under way."""

    @property
    def is_open(self) -> bool:
        """Whether what was done so far can still be committed."""

    def finish(self, answer: Answer | None) -> None:
        """Commit it at the end of the block together with its answer; with ``None``, and free the key again."""

    def undo(self) -> None:
        """Roll all of it back, and with it the claim."""


class Keeper(Protocol):
    """What becomes of keys."""

    counts: bool
    """Whether a key means anything."""

    def one_transaction(self, key: Key) -> AbstractContextManager[Work]:
        """Claim a key and make the block one transaction with that.

        Raises:
            Replayed: the request was answered before.
            Invalid: the key was used for another request.
            Conflict: a request under it is under way.
            Unavailable: the database is away or busy.
        """

    def keep(self, key: Key, answer: Answer) -> None:
        """Keep the answer to a request that did nothing."""

    def guard(self, key: Key, answering: Answering) -> Guard:
        """Return what accompanies work of several transactions."""


class KeysHonoured:
    """Every request with a key is done once.

    Args:
        database: where the work is done and keys are kept.
        records: the keys.
    """

    counts = True

    def __init__(self, database: Database, records: Records) -> None:
        self._database = database
        self._records = records

    @contextmanager
    def one_transaction(self, key: Key) -> Iterator[Work]:
        """As :meth:`Keeper.one_transaction`. A process that dies inside takes its claim with it."""
        claim = uuid.uuid4()
        with self._database.enclosing() as outer:
            with outer.session() as session:
                judge(self._records.claim(session, key, claim))
            yield _Claimed(outer, self._records, key, claim)

    def keep(self, key: Key, answer: Answer) -> None:
        """As :meth:`Keeper.keep`; one round trip."""
        with self._database.transaction() as session:
            Database.with_commit(session, self._records.keeping(key, uuid.uuid4(), answer))

    def guard(self, key: Key, answering: Answering) -> Guard:
        """As :meth:`Keeper.guard`."""
        return PhasedGuard(self._database, self._records, key, answering)


class _Claimed:
    """Work whose key is the caller's."""

    def __init__(self, outer: Enclosing, records: Records, key: Key, claim: uuid.UUID) -> None:
        self._outer = outer
        self._records = records
        self._key = key
        self._claim = claim

    @property
    def is_open(self) -> bool:
        return self._outer.is_open

    def finish(self, answer: Answer | None) -> None:
        self._outer.with_commit(
            self._records.forgetting(self._key, self._claim)
            if answer is None
            else self._records.finishing(self._key, self._claim, answer)
        )

    def undo(self) -> None:
        self._outer.roll_back()


class KeysIgnored:
    """Every request is done as often as it comes (unsafe)."""

    counts = False

    @contextmanager
    def one_transaction(self, key: Key) -> Iterator[Work]:
        """Let the block do as it would without a key."""
        yield _Unclaimed()

    def keep(self, key: Key, answer: Answer) -> None:
        """Keep nothing."""

    def guard(self, key: Key, answering: Answering) -> Guard:
        """Return a guard that keeps nothing."""
        return NoGuard()


class _Unclaimed:
    """Work that is nobody's key's."""

    is_open = True

    def finish(self, answer: Answer | None) -> None:
        pass

    def undo(self) -> None:
        pass
