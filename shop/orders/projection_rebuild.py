"""Rebuilds the read model from the event streams, and verifies it against them.

A projection rebuild folds every stream into a new table while the store runs. Then one transaction stops writers, folds
the streams that have changed in the meantime, and swaps the two tables. A reader sees all old rows or all new rows. The
rebuild finds changed streams by comparing versions, stream by stream, so it does not skip an order that got its id
early and was committed late.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, Table, exists, insert, select, text
from sqlalchemy.orm import Session

from shop.database.engine import lift_limits
from shop.database.transactions import Database
from shop.errors import StateConflict
from shop.orders.models import STREAMS, Order, OrderEventRow, OrderLine, OrderSummary, OrderToProject
from shop.orders.order_state import OrderState, fold
from shop.orders.projection import summaries, summary
from shop.orders.transitions import IllegalTransition
from shop.patterns.event_sourcing import UnknownEventVersion

REBUILD_SCHEMA = "rebuild"
"""Schema of the new table: there its indexes have the same names as those of the live table, and keep them."""
REBUILD_LOCK = 7_411_905_235
"""Key of the advisory lock: only one rebuild runs at a time."""
BATCH_SIZE = 1_000
OUTDATED_ORDERS = text(
    f"""
    SELECT streams.order_id
    FROM (SELECT order_id, max(version) AS version FROM order_events GROUP BY order_id) AS streams
    LEFT JOIN {REBUILD_SCHEMA}.order_summaries AS projected USING (order_id)
    WHERE projected.version IS DISTINCT FROM streams.version
    ORDER BY streams.order_id
    """  # noqa: S608 - our own name
)

_rows = select(Order.id).union(select(OrderSummary.order_id)).subquery()
_ORDERS_WITHOUT_EVENTS = (
    select(_rows.c.id).where(~exists().where(OrderEventRow.order_id == _rows.c.id)).order_by(_rows.c.id)
)


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """The number of rebuilt orders, and how many of them were folded again because they changed in the meantime."""

    orders: int
    again: int


@dataclass(frozen=True, slots=True)
class ProjectionDifference:
    """A difference between a row and the order's events."""

    order: str
    """The public id; the internal id if the stream gives no public id."""
    field: str
    events_say: Any
    row_says: Any


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of a verification."""

    orders: int
    waiting: int
    """Orders with queued events. An outdated summary of such an order is no difference."""
    differences: tuple[ProjectionDifference, ...]


class ProjectionRebuilder:
    """The use cases.

    Args:
        database: has the streams and the rows.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def rebuild(self) -> RebuildResult:
        """Rebuild the read model, and replace the live table with the new one.

        Raises:
            StateConflict: another rebuild is running.
            ServiceUnavailable: the lock that stops writers timed out; nothing was changed, and a retry is safe.
        """
        with self.hold_lock():
            new_table = self._create_table()
            orders = 0
            with self._database.reading() as session:
                for order_ids in _batches(session):
                    with self._database.transaction() as writing:
                        _fill(writing, new_table, order_ids)
                    orders += len(order_ids)
            again = self.catch_up(new_table)
            again += self._database.run_in_transaction(lambda session: _swap_tables(session, new_table))
            return RebuildResult(orders, again)

    def verify(self) -> VerifyResult:
        """Fold every stream and compare every row with it, in one snapshot of the database."""
        orders, differences = 0, list[ProjectionDifference]()
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
                        differences.append(
                            ProjectionDifference(str(order_id), "events", f"nothing: {error}", "that there is an order")
                        )
                    else:
                        differences += rows.differences(order_id, state, is_waiting=order_id in waiting)
                session.expunge_all()
            differences += [
                ProjectionDifference(str(order_id), "events", "nothing: there are none", "that there is an order")
                for order_id in session.scalars(_ORDERS_WITHOUT_EVENTS)
            ]
        return VerifyResult(orders, len(waiting), tuple(differences))

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Hold the advisory lock of rebuilds for the block.

        Raises:
            StateConflict: another rebuild is running.
        """
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": REBUILD_LOCK}):
                raise StateConflict("Another rebuild is under way.")
            connection.execute(text("SET idle_session_timeout = 0"))  # this session only waits, and ends with its lock
            try:
                yield
            finally:
                connection.execute(text("RESET idle_session_timeout"))
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": REBUILD_LOCK})

    def _create_table(self) -> Table:
        model = OrderSummary.metadata.tables[OrderSummary.__tablename__]
        new_table = model.to_metadata(
            MetaData(naming_convention=OrderSummary.metadata.naming_convention), schema=REBUILD_SCHEMA
        )
        with self._database.transaction() as session:
            _clear(session.connection())
            session.execute(text(f"CREATE SCHEMA {REBUILD_SCHEMA}"))
            new_table.create(session.connection())
        return new_table

    def catch_up(self, new_table: Table) -> int:
        """Fold the streams that have changed since, so the swap is short; return their number."""
        with self._database.transaction() as session:
            return _refill(session, new_table)


def _swap_tables(session: Session, new_table: Table) -> int:
    # waits for writers in progress and stops new ones; readers continue
    session.execute(text("LOCK TABLE order_events IN SHARE ROW EXCLUSIVE MODE"))
    again = _refill(session, new_table)
    live_schema = session.scalar(text("SELECT current_schema()"))
    session.execute(text(f"DROP TABLE {live_schema}.order_summaries"))
    session.execute(text(f"ALTER TABLE {REBUILD_SCHEMA}.order_summaries SET SCHEMA {live_schema}"))
    _clear(session.connection())
    return again


def _clear(connection: Connection) -> None:
    connection.execute(text(f"DROP SCHEMA IF EXISTS {REBUILD_SCHEMA} CASCADE"))


def _batches(session: Session) -> Iterator[Sequence[int]]:
    last = 0
    while True:
        order_ids = session.scalars(
            select(OrderEventRow.order_id)
            .where(OrderEventRow.order_id > last)
            .distinct()
            .order_by(OrderEventRow.order_id)
            .limit(BATCH_SIZE)
        ).all()
        if not order_ids:
            return
        yield order_ids
        last = order_ids[-1]


def _fill(session: Session, new_table: Table, order_ids: Sequence[int]) -> None:
    if rows := summaries(STREAMS.load_all(session, order_ids)):
        session.execute(insert(new_table), [dict(row) for row in rows])


def _refill(session: Session, new_table: Table) -> int:
    outdated = session.scalars(OUTDATED_ORDERS).all()
    if outdated:
        session.execute(new_table.delete().where(new_table.c.order_id.in_(outdated)))
        _fill(session, new_table, outdated)
    return len(outdated)


class _ProjectedRows:
    """The rows of some orders: three queries for any number of orders."""

    def __init__(self, session: Session, order_ids: Sequence[int]) -> None:
        self._orders = {row.id: row for row in session.scalars(select(Order).where(Order.id.in_(order_ids)))}
        self._summaries = {
            row.order_id: row
            for row in session.scalars(select(OrderSummary).where(OrderSummary.order_id.in_(order_ids)))
        }
        self._lines: dict[int, list[tuple[int, str, int, int]]] = defaultdict(list)
        for line in session.scalars(
            select(OrderLine).where(OrderLine.order_id.in_(order_ids)).order_by(OrderLine.order_id, OrderLine.position)
        ):
            self._lines[line.order_id].append((line.product_id, line.title, line.quantity, line.unit_price_amount))

    def differences(self, order_id: int, state: OrderState, *, is_waiting: bool) -> Iterator[ProjectionDifference]:
        """Compare one order's rows with the state of its stream; a waiting order's summary is not compared."""
        expected_row = {
            "version": state.version,
            "public_id": state.public_id,
            "number": state.number,
            "user_id": state.user_id,
            "status": state.status.value,
            "total_amount": state.total.amount,
            "currency": state.total.currency,
        }
        yield from _row_differences(state, "order", expected_row, self._orders.get(order_id))
        expected_lines = [(line.product_id, line.title, line.quantity, line.unit_price.amount) for line in state.lines]
        if self._lines[order_id] != expected_lines:
            yield ProjectionDifference(state.public_id, "lines", expected_lines, self._lines[order_id])
        if not is_waiting:
            yield from _row_differences(state, "summary", summary(order_id, state), self._summaries.get(order_id))


def _row_differences(
    state: OrderState, name: str, expected: Mapping[str, Any], row: object | None
) -> Iterator[ProjectionDifference]:
    if row is None:
        yield ProjectionDifference(state.public_id, name, "there is one", None)
        return
    for field, value in expected.items():
        actual = getattr(row, field)
        if actual != value:
            yield ProjectionDifference(state.public_id, f"{name}.{field}", value, actual)
