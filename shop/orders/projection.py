"""The projection of order events to the read model: in the same transaction (inline) or by the worker (async).

Problem: lists and counts of all orders need other columns and indexes than a checkout.
Method: a separate table, :class:`~shop.orders.models.OrderSummary`, which follows from the events alone. ``inline``
writes the summary in the transaction of the event. ``async`` queues the event in that transaction, and an
:class:`OrderProjector` writes the summary later. The statement that writes the summary or queues the event is sent
together with COMMIT, so it costs no round trip.
The projector takes committed rows that no other projector has locked (``SKIP LOCKED``). It has no "last seen" number: a
transaction may get its number early and commit late, and its event would be skipped. Only a newer version overwrites a
summary, so projectors may run in any order.
Switch: ``orders.projection``. Experiment: ``read-model-lag``.
Source: Young, "CQRS Documents" (2010); Kleppmann, "Designing Data-Intensive Applications", ch. 11.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, cast

from sqlalchemy import Table, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import PipelinedStatement
from shop.database.transactions import Database
from shop.orders.models import STREAMS, OrderSummary, OrderToProject
from shop.orders.order_state import OrderState, fold
from shop.orders.transitions import IllegalTransition
from shop.patterns.event_sourcing import StoredEvent, UnknownEventVersion

BATCH_SIZE = 500
"""Events per round: a round takes some tens of milliseconds, and then its summaries are visible."""
_KEY = OrderSummary.order_id.key
_summaries = cast(Table, OrderSummary.__table__)
_log = logging.getLogger(__name__)


class OrderProjection(Protocol):
    """Keeps the read model up to date."""

    def update(self, session: Session, order_id: int, state: OrderState) -> None:
        """Update the summary of a changed order, or queue that update, with the commit of the caller's transaction."""


class InlineProjection:
    """Updates the read model in the same transaction, so lists are always current."""

    def update(self, session: Session, order_id: int, state: OrderState) -> None:
        """Write the summary."""
        Database.execute_with_commit(session, PipelinedStatement(UPSERT, summary(order_id, state)))


class AsyncProjection:
    """Lets the worker update the read model later: a checkout does not wait for it, and lists lag."""

    def update(self, session: Session, order_id: int, state: OrderState) -> None:
        """Queue the event for the projector."""
        Database.execute_with_commit(
            session, PipelinedStatement(ENQUEUE, {"order_id": order_id, "version": state.version})
        )


@dataclass(frozen=True, slots=True)
class ProjectionRound:
    """The events and orders of one round."""

    events: int
    orders: int


@dataclass(frozen=True, slots=True)
class ProjectionBacklog:
    """The events that are not projected yet."""

    events: int
    oldest_s: float
    """Seconds since the oldest of them was appended; 0 if there is none."""


class OrderProjector:
    """The body of a background loop; any number of projectors may run at once.

    Args:
        database: has the streams and the summaries.
        observe_lags: called after each round with the seconds from the append to the projection of each event.
    """

    def __init__(
        self, database: Database, observe_lags: Callable[[Sequence[float]], None] = lambda seconds: None
    ) -> None:
        self._database = database
        self._observe_lags = observe_lags

    def run_once(self) -> ProjectionRound:
        """Update the summaries of the orders with the oldest queued events."""
        return self._database.run_in_transaction(self._project)

    def backlog(self) -> ProjectionBacklog:
        """Return the number and the age of the queued events."""
        age = func.clock_timestamp() - func.min(OrderToProject.queued_at)
        with self._database.reading() as session:
            events, oldest = session.execute(select(func.count(), age).select_from(OrderToProject)).one()
        return ProjectionBacklog(events, oldest.total_seconds() if oldest else 0.0)

    def _project(self, session: Session) -> ProjectionRound:
        age = func.clock_timestamp() - OrderToProject.queued_at
        queued = session.execute(
            select(OrderToProject.order_id, OrderToProject.version, age)
            .order_by(OrderToProject.queued_at)
            .limit(BATCH_SIZE)
            .with_for_update(skip_locked=True)
        ).all()
        if not queued:
            return ProjectionRound(0, 0)
        # read after the queue: its rows are committed, so the streams have their events
        streams = STREAMS.load_all(session, {order_id for order_id, _, _ in queued})
        if rows := summaries(streams):
            session.execute(UPSERT, rows)
        key = tuple_(OrderToProject.order_id, OrderToProject.version)
        session.execute(delete(OrderToProject).where(key.in_([(order_id, version) for order_id, version, _ in queued])))
        lags: list[timedelta] = [lag for _, _, lag in queued]
        Database.after_commit(session, lambda: self._observe_lags([lag.total_seconds() for lag in lags]))
        return ProjectionRound(len(queued), len(streams))


def summary(order_id: int, state: OrderState) -> Mapping[str, Any]:
    """Return a row of the read model. Pure: the only place that defines its content."""
    return {
        "order_id": order_id,
        "version": state.version,
        "public_id": state.public_id,
        "number": state.number,
        "user_id": state.user_id,
        "status": state.status.value,
        "owes_refund": state.owes_refund,
        "pieces": sum(line.quantity for line in state.lines),
        "total_amount": state.total.amount,
        "currency": state.total.currency,
        "placed_at": state.placed_at,
        "changed_at": state.changed_at,
    }


def summaries(streams: Mapping[int, Sequence[StoredEvent]]) -> list[Mapping[str, Any]]:
    """Return the rows of several orders, by order id.

    An unreadable stream is left out and logged, so the projection of all other orders continues. ``bin/shop orders
    verify`` reports the stream.
    """
    rows = []
    for order_id, stream in sorted(streams.items()):
        try:
            rows.append(summary(order_id, fold(stream)))
        except (IllegalTransition, UnknownEventVersion) as error:
            _log.error("stream_unreadable", extra={"order_id": order_id, "reason": str(error)})
    return rows


_insert = insert(_summaries)
UPSERT = _insert.on_conflict_do_update(
    index_elements=[_KEY],
    set_={name: value for name, value in _insert.excluded.items() if name != _KEY},
    where=_summaries.columns.version < _insert.excluded.version,
)
"""Writes a summary, unless the table has a newer version of it. Built once, so SQLAlchemy compiles it once."""
ENQUEUE = insert(cast(Table, OrderToProject.__table__)).on_conflict_do_nothing()
