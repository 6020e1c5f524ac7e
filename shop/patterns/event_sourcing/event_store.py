"""The event store: streams of events in one table, read as a whole, and appended to after an expected version."""

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
    """Another writer has appended first, so the decision was made on an old state.

    :meth:`shop.database.transactions.Database.run_in_transaction` runs the whole transaction again.
    """


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be appended: its type, the version of its data's schema, and the data."""

    type: str
    schema_version: int
    data: Data


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event in its stream; ``version`` is its number in the stream, from 1 without gaps."""

    version: int
    type: str
    schema_version: int
    data: Data
    recorded_at: datetime


class EventStore:
    """All streams of one kind of aggregate.

    Args:
        table: a mapped class with the columns ``version``, ``type``, ``schema_version``, ``data`` and
            ``recorded_at``, the last filled by the database; its primary key is the stream's key and the version.
        key: the name of the column with the id of the aggregate.
    """

    def __init__(self, table: type[Any], key: str) -> None:
        rows = cast(Table, table.__table__)
        columns = rows.columns
        self._key = key
        self._select = (
            select(
                columns[key], columns.version, columns.type, columns.schema_version, columns.data, columns.recorded_at
            )
            .where(columns[key] == any_(bindparam("streams", type_=ARRAY(BigInteger))))
            .order_by(columns[key], columns.version)
        )
        self._insert = insert(rows).on_conflict_do_nothing().returning(columns.recorded_at)

    def load(self, session: Session, stream: int) -> list[StoredEvent]:
        """Return the events of a stream, oldest first; an empty list if there is no such stream."""
        return self.load_all(session, [stream]).get(stream, [])

    def load_all(self, session: Session, streams: Collection[int]) -> Mapping[int, list[StoredEvent]]:
        """Return the events of several streams by key, in one query."""
        events: dict[int, list[StoredEvent]] = defaultdict(list)
        for stream, *columns in session.execute(self._select, {"streams": list(streams)}):
            events[stream].append(StoredEvent(*columns))
        return events

    def append(self, session: Session, stream: int, expected: int, events: Sequence[NewEvent]) -> list[StoredEvent]:
        """Append events after the version that the decision was made on. The primary key rejects the second writer.

        Args:
            session: the caller's transaction.
            stream: the id of the aggregate.
            expected: the version of the last event that was read; 0 for a new stream.
            events: the new events, oldest first.

        Returns:
            The stored events.

        Raises:
            ConcurrencyConflict: the stream has events after ``expected``; the caller rolls its transaction back.
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
            recorded_at = session.execute(self._insert, row).scalar_one_or_none()
            if recorded_at is None:
                raise ConcurrencyConflict
            stored.append(StoredEvent(version, event.type, event.schema_version, event.data, recorded_at))
        return stored
