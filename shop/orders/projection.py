"""The read model follows the streams: at once, or soon.

Problem: lists and counts over all orders want other columns and indexes than a checkout does.
Method: a table of their own, :class:`~shop.orders.models.OrderSummary`, made of events alone. ``inline`` writes it in
the transaction of the event; ``async`` writes down, in that transaction, that there is something to do, and a
:class:`Projector` does it. Both statements travel with COMMIT, so neither costs a round trip. The projector takes rows
that are committed and not taken by another (``SKIP LOCKED``); it keeps no "last seen" number, which would pass over an
event whose transaction took its number early and committed late. A summary is overwritten only by a newer version, so
it does not matter who comes first.
Switch: ``orders.projection``. Experiment: ``read-model-lag``.
Source: Young, "CQRS Documents" (2010); Kleppmann, "Designing Data-Intensive Applications", ch. 11.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, cast

from sqlalchemy import Insert, Table, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.database.pipelined_commit import DeferredStatement
from shop.database.transactions import Database
from shop.orders.models import STREAMS, OrderSummary, OrderToProject
from shop.orders.order_state import OrderState, fold
from shop.orders.transitions import IllegalTransition
from shop.patterns.event_sourcing import StoredEvent, UnknownEventVersion

MOST_AT_ONCE = 500
"""Events a round: some tens of milliseconds, after which others see what was done."""
_KEY = OrderSummary.order_id.key
_summaries = cast(Table, OrderSummary.__table__)
_log = logging.getLogger(__name__)


class OrderProjection(Protocol):
    """Hears of every order that changed."""

    def changed(self, session: Session, order_id: int, state: OrderState) -> None:
        """Let the read model follow, now or later, with the commit of the caller's transaction."""


class InlineProjection:
    """The read model changes in the same transaction: whoever reads it sees what is."""

    def changed(self, session: Session, order_id: int, state: OrderState) -> None:
        """Write the summary."""
        Database.execute_with_commit(session, DeferredStatement(UPSERT, summary(order_id, state)))


class AsyncProjection:
    """The read model changes a moment later, by the worker: a checkout does not wait for it, and lists lag."""

    def changed(self, session: Session, order_id: int, state: OrderState) -> None:
        """Write down that the summary is behind."""
        Database.execute_with_commit(
            session, DeferredStatement(QUEUE, {"order_id": order_id, "version": state.version})
        )


@dataclass(frozen=True, slots=True)
class ProjectionRound:
    """What one round did."""

    events: int
    orders: int


@dataclass(frozen=True, slots=True)
class ProjectionBacklog:
    """What the read model does not show yet."""

    events: int
    oldest_s: float
    """Seconds since the oldest of them was appended; 0 when there is none."""


class OrderProjector:
    """A loop's body; any number of them may run at once.

    Args:
        database: where streams and summaries are.
        lagged: told, for each event, how many seconds after it was appended it is shown.
    """

    def __init__(self, database: Database, lagged: Callable[[Sequence[float]], None] = lambda seconds: None) -> None:
        self._database = database
        self._lagged = lagged

    def run_once(self) -> ProjectionRound:
        """Bring the summaries of the orders that changed longest ago up to date."""
        return self._database.run_in_transaction(self._project)

    def backlog(self) -> ProjectionBacklog:
        """Return how far behind the read model is."""
        age = func.clock_timestamp() - func.min(OrderToProject.queued_at)
        with self._database.reading() as session:
            events, oldest = session.execute(select(func.count(), age).select_from(OrderToProject)).one()
        return ProjectionBacklog(events, oldest.total_seconds() if oldest else 0.0)

    def _project(self, session: Session) -> ProjectionRound:
        age = func.clock_timestamp() - OrderToProject.queued_at
        taken = session.execute(
            select(OrderToProject.order_id, OrderToProject.version, age)
            .order_by(OrderToProject.queued_at)
            .limit(MOST_AT_ONCE)
            .with_for_update(skip_locked=True)
        ).all()
        if not taken:
            return ProjectionRound(0, 0)
        # read after the rows were taken: what they tell of is committed, and so is in the streams
        streams = STREAMS.load_all(session, {order_id for order_id, _, _ in taken})
        if rows := summaries(streams):
            session.execute(UPSERT, rows)
        key = tuple_(OrderToProject.order_id, OrderToProject.version)
        session.execute(delete(OrderToProject).where(key.in_([(order_id, version) for order_id, version, _ in taken])))
        lags: list[timedelta] = [lag for _, _, lag in taken]
        Database.after_commit(session, lambda: self._lagged([lag.total_seconds() for lag in lags]))
        return ProjectionRound(len(taken), len(streams))


def summary(order_id: int, state: OrderState) -> Mapping[str, Any]:
    """Return a row of the read model. Pure: the one place that says what is in it."""
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
    """Return the rows of several orders, by their ids.

    A stream that cannot be read is left out and logged: it must not keep all the others from being shown. ``shop
    orders verify`` names it.
    """
    rows = []
    for order_id, stream in sorted(streams.items()):
        try:
            rows.append(summary(order_id, fold(stream)))
        except (IllegalTransition, UnknownEventVersion) as error:
            _log.error("stream_unreadable", extra={"order_id": order_id, "reason": str(error)})
    return rows


def _upsert() -> Insert:
    statement = insert(_summaries)
    changed = {name: value for name, value in statement.excluded.items() if name != _KEY}
    return statement.on_conflict_do_update(
        index_elements=[_KEY], set_=changed, where=_summaries.columns.version < statement.excluded.version
    )


UPSERT = _upsert()
"""Writes a summary, unless a newer one of its order is there. Made once: SQLAlchemy then compiles it once."""
QUEUE = insert(cast(Table, OrderToProject.__table__)).on_conflict_do_nothing()
