import json
import multiprocessing
import threading

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from shop.cli.orders import orders as command
from shop.database.engine import build_engine
from shop.database.transactions import Database
from shop.errors import StateConflict
from shop.orders import order_list, order_stream, queries
from shop.orders.events import CancellationCause, OrderDelivered, OrderShipped, serialize
from shop.orders.models import Order, OrderEventRow, OrderSummary, OrderToProject
from shop.orders.order_state import CancelOrder, RecordRefund, ShipOrder, fold
from shop.orders.order_stream import OrderStreams
from shop.orders.projection import UPSERT, AsyncProjection, InlineProjection, OrderProjector, summary
from shop.orders.projection_rebuild import ProjectionRebuilder
from shop.orders.service import OrderViewer
from shop.orders.transitions import IllegalTransition, OrderStatus
from shop.patterns.event_sourcing import ConcurrencyConflict
from shop.switches.registry import SWITCHES
from shop.wiring import PROJECTIONS
from tests.integration.test_orders import place, world  # noqa: F401 - a fixture
from tests.support.polling import until

_processes = multiprocessing.get_context("forkserver")
RACERS = 4


def change(database, public_id, wanted, projection=None):
    streams = OrderStreams(projection or InlineProjection())
    database.run_in_transaction(lambda session: streams.change(session, order_stream.lock(session, public_id), wanted))


def shown(database):
    with database.reading() as session:
        return {row.public_id: row.status for row in order_list.list_orders(session, None, None, 100).orders}


# --- the stream


@pytest.mark.parametrize(
    "rewriting", ["UPDATE order_events SET data = '{}'", "DELETE FROM order_events WHERE version = 2"]
)
def test_history_cannot_be_rewritten(database, world, rewriting):  # noqa: F811
    place(database, world)
    with pytest.raises(IntegrityError, match="append-only"), database.transaction() as session:
        session.execute(text(rewriting))


def test_an_order_that_is_deleted_takes_its_stream_along(database, world):  # noqa: F811
    place(database, world)
    with database.transaction() as session:
        session.execute(text("DELETE FROM orders"))
        assert session.scalar(select(func.count()).select_from(OrderEventRow)) == 0


def test_an_append_behind_a_version_that_is_past_is_refused(database, world):  # noqa: F811
    public_id = place(database, world)
    with database.transaction() as ours:
        order = ours.scalar(select(Order).where(Order.public_id == public_id))
        seen = order_stream.STREAMS.load(ours, order.id)
        change(database, public_id, ShipOrder())
        with pytest.raises(ConcurrencyConflict):
            order_stream.STREAMS.append(ours, order.id, len(seen), [serialize(OrderShipped())])


def _ship_without_a_lock(settings, public_id, barrier, ends):
    database = Database(build_engine(settings))
    first = True

    def work(session):
        nonlocal first
        order = session.scalar(select(Order).where(Order.public_id == public_id))
        order_stream.STREAMS.load(session, order.id)
        if first:
            first = False
            barrier.wait(30)
        return OrderStreams(InlineProjection()).change(session, order, ShipOrder())

    try:
        database.run_in_transaction(work)
        ends.put("shipped")
    except Exception as error:  # noqa: BLE001 - the test says which ends are well
        ends.put(type(error).__name__)
    database.engine.dispose()


def test_concurrent_change_without_lock_succeeds_once(settings, database, world):  # noqa: F811
    public_id = place(database, world)
    barrier, ends = _processes.Barrier(RACERS), _processes.Queue()
    racers = [
        _processes.Process(target=_ship_without_a_lock, args=(settings, public_id, barrier, ends))
        for _ in range(RACERS)
    ]
    for racer in racers:
        racer.start()
    found = sorted(ends.get(timeout=60) for _ in racers)
    for racer in racers:
        racer.join(60)
    assert found == ["IllegalTransition"] * (RACERS - 1) + ["shipped"]
    with database.reading() as session:
        view, _ = queries.find_order(session, public_id)
    assert [event.type for event in view.events].count("OrderShipped") == 1


# --- the read model


def test_each_value_of_the_switch_has_its_projection():
    assert set(PROJECTIONS) == set(SWITCHES["orders.projection"].values)


def test_inline_the_list_shows_what_was_committed_and_nothing_else(database, world):  # noqa: F811
    kept, undone = place(database, world), place(database, world)
    change(database, kept, ShipOrder())

    def twice(session):
        for _ in range(2):
            OrderStreams(InlineProjection()).change(session, order_stream.lock(session, undone), ShipOrder())

    with pytest.raises(IllegalTransition):
        database.run_in_transaction(twice)
    assert shown(database) == {kept: OrderStatus.SHIPPED, undone: OrderStatus.PAID}


def test_async_projection_lags_in_list_but_not_for_buyer(runtime, database, world):  # noqa: F811
    public_id = place(database, world, "ada")
    change(database, public_id, CancelOrder(CancellationCause.CUSTOMER), AsyncProjection())
    orders = runtime.services().orders
    hers = OrderViewer(user_id=world["ada"].id)
    assert orders.detail(hers, public_id).orders[0].status is OrderStatus.CANCELLED
    assert orders.list_own(hers, None, 5).orders[0].status is OrderStatus.CANCELLED
    assert orders.count_by_status() == {OrderStatus.PAID: 1}

    lags = []
    projector = OrderProjector(database, lags.extend)
    assert projector.backlog().events == 1
    projector.run_once()

    assert orders.count_by_status() == {OrderStatus.CANCELLED: 1}
    assert orders.list_all(None, None, 5).orders[0].refund_pending
    assert (projector.backlog().events, len(lags)) == (0, 1)
    assert lags[0] >= 0


def test_an_event_that_is_committed_late_is_not_passed_over(database, world):  # noqa: F811
    early, late = place(database, world), place(database, world)
    with database.transaction() as slow:
        # queued first, and so with the smaller number whatever is counted; committed last
        OrderStreams(AsyncProjection()).change(slow, order_stream.lock(slow, early), ShipOrder())
        slow.execute(
            text("INSERT INTO orders_to_project SELECT id, 3 FROM orders WHERE public_id = :id"), {"id": early}
        )
        change(database, late, ShipOrder(), AsyncProjection())
        OrderProjector(database).run_once()
        assert shown(database) == {early: OrderStatus.PAID, late: OrderStatus.SHIPPED}
    OrderProjector(database).run_once()
    assert shown(database) == {early: OrderStatus.SHIPPED, late: OrderStatus.SHIPPED}


def test_an_event_appended_while_the_projector_looks_is_not_lost(database, world, monkeypatch):  # noqa: F811
    public_id = place(database, world)
    change(database, public_id, CancelOrder(CancellationCause.STAFF), AsyncProjection())
    project = OrderProjector(database)
    load_all = order_stream.STREAMS.load_all

    def load_and_be_overtaken(session, ids):
        monkeypatch.undo()
        found = load_all(session, ids)
        worker = threading.Thread(target=change, args=(database, public_id, RecordRefund(), AsyncProjection()))
        worker.start()
        worker.join(10)
        return found

    monkeypatch.setattr(order_stream.STREAMS, "load_all", load_and_be_overtaken)
    project.run_once()
    assert shown(database) == {public_id: OrderStatus.CANCELLED}
    project.run_once()
    assert shown(database) == {public_id: OrderStatus.REFUNDED}


def test_an_older_summary_never_overwrites_a_newer_one(database, world):  # noqa: F811
    public_id = place(database, world)
    change(database, public_id, ShipOrder())
    with database.transaction() as session:
        order = session.scalar(select(Order))
        old = fold(order_stream.STREAMS.load(session, order.id)[:2])
        session.execute(UPSERT, [summary(order.id, old)])
    assert shown(database) == {public_id: OrderStatus.SHIPPED}


def test_projector_skips_events_locked_by_another(database, world):  # noqa: F811
    public_id = place(database, world)
    change(database, public_id, ShipOrder(), AsyncProjection())
    with database.transaction() as other:
        other.execute(select(OrderToProject).with_for_update())
        assert OrderProjector(database).run_once().events == 0
    assert OrderProjector(database).run_once().events == 1


def test_unreadable_stream_does_not_block_other_projections(database, world):  # noqa: F811
    torn, whole = place(database, world), place(database, world)
    with database.transaction() as session:
        order = session.scalar(select(Order).where(Order.public_id == torn))
        order_stream.STREAMS.append(session, order.id, 2, [serialize(OrderDelivered())])
        session.add(OrderToProject(order_id=order.id, version=3))
    change(database, whole, ShipOrder(), AsyncProjection())
    projector = OrderProjector(database)
    projector.run_once()
    assert shown(database)[whole] == OrderStatus.SHIPPED
    assert projector.backlog().events == 0
    found = ProjectionRebuilder(database).verify().differences
    assert [(one.order, one.field) for one in found] == [(str(order.id), "events")]
    ProjectionRebuilder(database).rebuild()
    assert shown(database) == {whole: OrderStatus.SHIPPED}


# --- made anew, and compared


def damage(database, statement):
    with database.transaction() as session:
        assert session.execute(text(statement)).rowcount == 1


def test_a_rebuilt_read_model_is_the_one_that_was_there(database, world):  # noqa: F811
    public_ids = [place(database, world, "ada") for _ in range(3)]
    change(database, public_ids[0], ShipOrder())
    with database.reading() as session:
        before = session.execute(select(OrderSummary.__table__).order_by(OrderSummary.order_id)).all()
    damage(database, "DELETE FROM order_summaries WHERE status = 'shipped'")
    assert ProjectionRebuilder(database).rebuild().orders == 3
    with database.reading() as session:
        assert session.execute(select(OrderSummary.__table__).order_by(OrderSummary.order_id)).all() == before
    change(database, public_ids[1], ShipOrder())  # and it is written to as before
    assert ProjectionRebuilder(database).verify().differences == ()
    assert ProjectionRebuilder(database).rebuild().orders == 3  # with the same names of indexes


def test_a_rebuild_takes_in_what_is_appended_meanwhile(database, world, monkeypatch):  # noqa: F811
    public_ids = [place(database, world) for _ in range(3)]
    replaying = ProjectionRebuilder(database)
    catch_up = replaying.catch_up
    new = []

    def and_meanwhile(beside):
        again = catch_up(beside)
        change(database, public_ids[0], ShipOrder())
        new.append(place(database, world))
        return again

    monkeypatch.setattr(replaying, "catch_up", and_meanwhile)
    assert replaying.rebuild().again == 2
    assert shown(database) == {
        new[0]: OrderStatus.PAID,
        public_ids[0]: OrderStatus.SHIPPED,
        public_ids[1]: OrderStatus.PAID,
        public_ids[2]: OrderStatus.PAID,
    }
    assert replaying.verify().differences == ()


def test_one_rebuild_runs_at_a_time(database, world):  # noqa: F811
    with ProjectionRebuilder(database).hold_lock(), pytest.raises(StateConflict, match="under way"):
        ProjectionRebuilder(database).rebuild()


def test_rebuild_lock_session_survives_idle_timeout(settings, database):
    engine = build_engine(settings.model_copy(update={"db_idle_s": 1}))
    with ProjectionRebuilder(Database(engine)).hold_lock():
        with engine.connect() as unused:
            pid = unused.scalar(text("SELECT pg_backend_pid()"))
        with database.reading() as session:
            still_there = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
            until(lambda: session.scalar(still_there, {"pid": pid}) == 0)
        with pytest.raises(StateConflict):
            ProjectionRebuilder(database).rebuild()
    engine.dispose()


DAMAGES = {
    "summary.status": "UPDATE order_summaries SET status = 'shipped' WHERE status = 'paid'",
    "summary.pieces": "UPDATE order_summaries SET pieces = 99",
    "summary": "DELETE FROM order_summaries",
    "order.status": "UPDATE orders SET status = 'delivered'",
    "order.total_amount": "UPDATE orders SET total_amount = 1",
    "lines": "UPDATE order_lines SET quantity = 9 WHERE position = 1",
    "events": "INSERT INTO order_summaries SELECT 999, version, 'ord_ghost', number, user_id, status, owes_refund,"
    " pieces, total_amount, currency, placed_at, changed_at FROM order_summaries",
}


@pytest.mark.parametrize("field", DAMAGES)
def test_the_comparison_names_every_row_that_says_something_else(database, world, field):  # noqa: F811
    public_id = place(database, world)
    damage(database, DAMAGES[field])
    found = ProjectionRebuilder(database).verify()
    assert [(one.order, one.field) for one in found.differences] == [("999" if field == "events" else public_id, field)]


def test_queued_event_is_no_difference(database, world):  # noqa: F811
    public_id = place(database, world)
    change(database, public_id, ShipOrder(), AsyncProjection())
    found = ProjectionRebuilder(database).verify()
    assert (found.differences, found.waiting) == ((), 1)


def test_the_commands_say_what_they_did(settings, database, world, monkeypatch):  # noqa: F811
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    public_id = place(database, world)
    run = CliRunner().invoke
    assert json.loads(run(command, ["rebuild", "--json"]).output) == {"orders": 1, "again": 0}
    assert run(command, ["verify"]).exit_code == 0
    assert json.loads(run(command, ["status", "--json"]).output) == {"events": 0, "oldest_s": 0.0}
    damage(database, DAMAGES["order.status"])
    done = run(command, ["verify"])
    assert done.exit_code == 1
    assert f"{public_id} order.status: the row says delivered, its events say paid" in done.output


@pytest.mark.parametrize("value", SWITCHES["orders.projection"].values)
def test_the_switch_chooses_the_projection(runtime, database, world, value):  # noqa: F811
    public_id = place(database, world)
    runtime.switch_store.set("orders.projection", value)
    runtime.switch_poller.refresh()
    runtime.services().orders.ship(public_id)
    with database.reading() as session:
        queued = session.scalar(select(func.count()).select_from(OrderToProject))
    assert queued == {"inline": 0, "async": 1}[value]
