"""Streams of events in one table: read whole, appended to behind an expected version."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.db_refusals import LostRace
from shop.patterns.events.upcasting import Data


class StreamMoved(LostRace):
    """Somebody else appended first, so the decision was made on a state that is past.

    :meth:`shop.unit_of_work.Database.retrying` runs the transaction again, from its reading on.
    """


@dataclass(frozen=True, slots=True)
class Happened:
    """An event about to be appended: its type, the version of its data's shape, and the data."""

    type: str
    schema_version: int
    data: Data


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it stands in its stream; ``version`` counts from 1 without gaps."""

    version: int
    type: str
    schema_version: int
    data: Data
    recorded_at: datetime


class Streams:
    """All streams of one kind of thing.

    Args:
        table: a mapped class with the columns ``version``, ``type``, ``schema_version``, ``data`` and
            ``recorded_at``, the last filled by the database; its primary key is the stream's key and the version.
        key: the name of the column that tells whose stream it is.
    """

    def __init__(self, table: type[Any], key: str) -> None:
        self._table = table
        self._key = key

    def load(self, session: Session, stream: int) -> list[Stored]:
        """Return a stream's events, oldest first; none where there is no such stream."""
        return self.load_all(session, [stream]).get(stream, [])

    def load_all(self, session: Session, streams: Collection[int]) -> Mapping[int, list[Stored]]:
        """Return the events of several streams by key, in one query."""
        key: ColumnElement[int] = getattr(self._table, self._key)
        table = self._table
        rows = session.execute(
            select(key, table.version, table.type, table.schema_version, table.data, table.recorded_at)
            .where(key.in_(streams))
            .order_by(key, table.version)
        )
        found: dict[int, list[Stored]] = defaultdict(list)
        for stream, *event in rows:
            found[stream].append(Stored(*event))
        return found

    def append(self, session: Session, stream: int, expected: int, events: Sequence[Happened]) -> list[Stored]:
        """Append events behind the version the decision was made on. The primary key decides who is first.

        Args:
            session: the caller's transaction.
            stream: whose.
            expected: the version of the last event that was seen; 0 for a new stream.
            events: what happened, oldest first.

        Returns:
            The events as they were stored.

        Raises:
            StreamMoved: there are events behind ``expected``; nothing of the caller's transaction may be committed.
        """
        rows = [
            {
                self._key: stream,
                "version": version,
                "type": event.type,
                "schema_version": event.schema_version,
                "data": dict(event.data),
            }
            for version, event in enumerate(events, start=expected + 1)
        ]
        # the rows are parameters, not part of the statement: so it is compiled once and not for every append
        inserted = session.execute(
            insert(self._table).on_conflict_do_nothing().returning(self._table.version, self._table.recorded_at), rows
        )
        recorded: dict[int, datetime] = dict(inserted.all())
        if len(recorded) < len(rows):
            raise StreamMoved
        return [
            Stored(version, event.type, event.schema_version, event.data, recorded[version])
            for version, event in enumerate(events, start=expected + 1)
        ]
