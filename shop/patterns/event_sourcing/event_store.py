"""Streams of events in one table: read whole, appended to behind an expected version."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ARRAY, BigInteger, Table, any_, bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.database.errors import TransactionConflict
from shop.patterns.event_sourcing.upcasting import Data


class ConcurrencyConflict(TransactionConflict):
    """Somebody else appended first, so the decision was made on a state that is past.

    :meth:`shop.database.transactions.Database.run_in_transaction` runs the transaction again, from its reading on.
    """


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event about to be appended: its type, the version of its data's shape, and the data."""

    type: str
    schema_version: int
    data: Data


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it stands in its stream; ``version`` counts from 1 without gaps."""

    version: int
    type: str
    schema_version: int
    data: Data
    recorded_at: datetime


class EventStore:
    """All streams of one kind of thing.

    Args:
        table: a mapped class with the columns ``version``, ``type``, ``schema_version``, ``data`` and
            ``recorded_at``, the last filled by the database; its primary key is the stream's key and the version.
        key: the name of the column that tells whose stream it is.
    """

    def __init__(self, table: type[Any], key: str) -> None:
        rows = cast(Table, table.__table__)
        columns = rows.columns
        self._key = key
        self._loading = (
            select(
                columns[key], columns.version, columns.type, columns.schema_version, columns.data, columns.recorded_at
            )
            .where(columns[key] == any_(bindparam("streams", type_=ARRAY(BigInteger))))
            .order_by(columns[key], columns.version)
        )
        self._appending = insert(rows).on_conflict_do_nothing().returning(columns.recorded_at)

    def load(self, session: Session, stream: int) -> list[StoredEvent]:
        """Return a stream's events, oldest first; none where there is no such stream."""
        return self.load_all(session, [stream]).get(stream, [])

    def load_all(self, session: Session, streams: Collection[int]) -> Mapping[int, list[StoredEvent]]:
        """Return the events of several streams by key, in one query."""
        found: dict[int, list[StoredEvent]] = defaultdict(list)
        for stream, *event in session.execute(self._loading, {"streams": list(streams)}):
            found[stream].append(StoredEvent(*event))
        return found

    def append(self, session: Session, stream: int, expected: int, events: Sequence[NewEvent]) -> list[StoredEvent]:
        """Append events behind the version the decision was made on. The primary key decides who is first.

        Args:
            session: the caller's transaction.
            stream: whose.
            expected: the version of the last event that was seen; 0 for a new stream.
            events: what happened, oldest first.

        Returns:
            The events as they were stored.

        Raises:
            ConcurrencyConflict: there are events behind ``expected``; the caller rolls its transaction back.
        """
        stored = []
        for version, event in enumerate(events, start=expected + 1):
            row = {
                self._key: stream,
                "version": version,
                "type": event.type,
                "schema_version": event.schema_version,
                "data": event.data,
            }
            recorded_at = session.execute(self._appending, row).scalar_one_or_none()
            if recorded_at is None:
                raise ConcurrencyConflict
            stored.append(StoredEvent(version, event.type, event.schema_version, event.data, recorded_at))
        return stored
