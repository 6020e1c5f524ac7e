"""The read model made anew from the streams, and held against them.

A rebuild folds every stream into a table beside the live one while the store goes on, then stops writers for as long
as it takes to fold what was appended meanwhile, and swaps the two in that same transaction. Readers see the old rows
or the new ones, never none and never a mixture. What was appended meanwhile is found by comparing versions, stream by
stream: an order whose number was taken early and which was committed late is not passed over.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, Select, Table, exists, insert, select, text
from sqlalchemy.orm import Session

from shop.database.engine import lift_limits
from shop.database.transactions import Database
from shop.errors import StateConflict
from shop.orders.models import STREAMS, Order, OrderEvent, OrderLine, OrderSummary, OrderToProject
from shop.orders.order_state import OrderState, fold
from shop.orders.projection import summaries, summary
from shop.orders.transitions import IllegalTransition
from shop.patterns.event_sourcing import UnknownEventVersion

REBUILD_SCHEMA = "rebuild"
"""Schema of the table being filled: there it can have the names of the live one's indexes, which it takes along."""
REBUILD_LOCK = 7_411_905_235
"""Key of the advisory lock that lets one rebuild run at a time."""
STREAMS_AT_ONCE = 1_000
BEHIND = text(
    f"""
    SELECT told.order_id
    FROM (SELECT order_id, max(version) AS version FROM order_events GROUP BY order_id) AS told
    LEFT JOIN {REBUILD_SCHEMA}.order_summaries AS made USING (order_id)
    WHERE made.version IS DISTINCT FROM told.version
    ORDER BY told.order_id
    """  # noqa: S608 - our own name
)


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """What a rebuild did: orders replayed, and how many of them again because they changed meanwhile."""

    orders: int
    again: int


@dataclass(frozen=True, slots=True)
class ProjectionDifference:
    """Where a row does not say what the order's events say."""

    order: str
    """Its public id; its number in the database where no stream tells one."""
    field: str
    events_say: Any
    row_says: Any


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What a comparison found."""

    orders: int
    waiting: int
    """Changed, and the projector has not come to them yet: that is no difference."""
    differences: tuple[ProjectionDifference, ...]


class ProjectionRebuilder:
    """The use cases.

    Args:
        database: where streams and rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def rebuild(self) -> RebuildResult:
        """Make the read model anew and put it in the place of the live one.

        Raises:
            StateConflict: another rebuild is under way.
            ServiceUnavailable: writers could not be stopped in time; nothing was changed, and it may be tried again.
        """
        with self._alone():
            beside = self._make_room()
            orders = 0
            with self._database.reading() as session:
                for order_ids in _batches(session):
                    with self._database.transaction() as writing:
                        _fill(writing, beside, order_ids)
                    orders += len(order_ids)
            return RebuildResult(orders, self._catch_up(beside) + self._swap(beside))

    def verify(self) -> VerifyResult:
        """Fold every stream and hold every row against it, as all of them stood at one moment."""
        orders, found = 0, list[ProjectionDifference]()
        with self._database.transaction() as session:
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            lift_limits(session.connection())
            waiting = set(session.scalars(select(OrderToProject.order_id)))
            for order_ids in _batches(session):
                orders += len(order_ids)
                rows = _ProjectedRows(session, order_ids)
                for order_id, stream in STREAMS.load_all(session, order_ids).items():
                    try:
                        state = fold(stream)
                    except (IllegalTransition, UnknownEventVersion) as error:
                        found.append(
                            ProjectionDifference(str(order_id), "events", f"nothing: {error}", "that there is an order")
                        )
                    else:
                        found += rows.compared(order_id, state, is_waiting=order_id in waiting)
                session.expunge_all()
            found += [
                ProjectionDifference(str(order_id), "events", "nothing: there are none", "that there is an order")
                for order_id in session.scalars(_rows_without_a_stream())
            ]
        return VerifyResult(orders, len(waiting), tuple(found))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": REBUILD_LOCK}):
                raise StateConflict("Another rebuild is under way.")
            connection.execute(text("SET idle_session_timeout = 0"))  # the lock is this session's, which only waits
            try:
                yield
            finally:
                connection.execute(text("RESET idle_session_timeout"))
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": REBUILD_LOCK})

    def _make_room(self) -> Table:
        model = OrderSummary.metadata.tables[OrderSummary.__tablename__]
        beside = model.to_metadata(
            MetaData(naming_convention=OrderSummary.metadata.naming_convention), schema=REBUILD_SCHEMA
        )
        with self._database.transaction() as session:
            _clear(session.connection())
            session.execute(text(f"CREATE SCHEMA {REBUILD_SCHEMA}"))
            beside.create(session.connection())
        return beside

    def _catch_up(self, beside: Table) -> int:
        """Fold what changed while the rest was folded, so that little is left for the time writers are stopped."""
        with self._database.transaction() as session:
            return _refill(session, beside)

    def _swap(self, beside: Table) -> int:
        return self._database.run_in_transaction(lambda session: _exchange(session, beside))


def _exchange(session: Session, beside: Table) -> int:
    # whoever has appended is waited for, and whoever wants to append waits: reading is not held up
    session.execute(text("LOCK TABLE order_events IN SHARE ROW EXCLUSIVE MODE"))
    again = _refill(session, beside)
    home = session.scalar(text("SELECT current_schema()"))
    session.execute(text(f"DROP TABLE {home}.order_summaries"))
    session.execute(text(f"ALTER TABLE {REBUILD_SCHEMA}.order_summaries SET SCHEMA {home}"))
    _clear(session.connection())
    return again


def _clear(connection: Connection) -> None:
    connection.execute(text(f"DROP SCHEMA IF EXISTS {REBUILD_SCHEMA} CASCADE"))


def _batches(session: Session) -> Iterator[Sequence[int]]:
    last = 0
    while True:
        order_ids = session.scalars(
            select(OrderEvent.order_id)
            .where(OrderEvent.order_id > last)
            .distinct()
            .order_by(OrderEvent.order_id)
            .limit(STREAMS_AT_ONCE)
        ).all()
        if not order_ids:
            return
        yield order_ids
        last = order_ids[-1]


def _fill(session: Session, beside: Table, order_ids: Sequence[int]) -> None:
    if rows := summaries(STREAMS.load_all(session, order_ids)):
        session.execute(insert(beside), [dict(row) for row in rows])


def _refill(session: Session, beside: Table) -> int:
    behind = session.scalars(BEHIND).all()
    if behind:
        session.execute(beside.delete().where(beside.c.order_id.in_(behind)))
        _fill(session, beside, behind)
    return len(behind)


def _rows_without_a_stream() -> Select[int]:
    rows = select(Order.id).union(select(OrderSummary.order_id)).subquery()
    return select(rows.c.id).where(~exists().where(OrderEvent.order_id == rows.c.id)).order_by(rows.c.id)


class _ProjectedRows:
    """What stands in the rows of some orders: three queries, however many they are."""

    def __init__(self, session: Session, order_ids: Sequence[int]) -> None:
        self._heads = {row.id: row for row in session.scalars(select(Order).where(Order.id.in_(order_ids)))}
        self._summaries = {
            row.order_id: row
            for row in session.scalars(select(OrderSummary).where(OrderSummary.order_id.in_(order_ids)))
        }
        self._lines: dict[int, list[tuple[int, str, int, int]]] = defaultdict(list)
        for line in session.scalars(
            select(OrderLine).where(OrderLine.order_id.in_(order_ids)).order_by(OrderLine.order_id, OrderLine.position)
        ):
            self._lines[line.order_id].append((line.product_id, line.title, line.quantity, line.unit_price_amount))

    def compared(self, order_id: int, state: OrderState, *, is_waiting: bool) -> Iterator[ProjectionDifference]:
        """Hold one order's rows against what its events come to."""
        yield from _differing(state, "order", _head(state), self._heads.get(order_id))
        told = [(line.product_id, line.title, line.quantity, line.unit_price.amount) for line in state.lines]
        if self._lines[order_id] != told:
            yield ProjectionDifference(state.public_id, "lines", told, self._lines[order_id])
        if not is_waiting:
            yield from _differing(state, "summary", summary(order_id, state), self._summaries.get(order_id))


def _differing(
    state: OrderState, name: str, told: Mapping[str, Any], row: object | None
) -> Iterator[ProjectionDifference]:
    if row is None:
        yield ProjectionDifference(state.public_id, name, "there is one", None)
        return
    for field, value in told.items():
        stands = getattr(row, field)
        if stands != value:
            yield ProjectionDifference(state.public_id, f"{name}.{field}", value, stands)


def _head(state: OrderState) -> Mapping[str, Any]:
    return {
        "version": state.version,
        "public_id": state.public_id,
        "number": state.number,
        "user_id": state.user_id,
        "status": state.status.value,
        "total_amount": state.total.amount,
        "currency": state.total.currency,
    }
