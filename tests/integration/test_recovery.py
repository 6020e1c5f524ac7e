"""Whatever is killed, wherever it is: one order paid once, or none and nothing charged. The auditor is the judge.

Two shoppers are struck by each kill. One presses again under the same key; the other never comes back, and the
completer is alone with what she left.
"""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from sqlalchemy import text

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.checkout.payment_reconciler import GIVE_UP_AFTER
from shop.database.engine import build_engine
from shop.database.schema import upgrade
from shop.database.transactions import Database
from shop.reconciliation.audit import audit
from shop.settings import Settings
from shop.stack.program import free_port
from shop.wiring import build
from tests.support.crash_points import (
    ASKING,
    FOUND,
    PHASES,
    PLACING,
    REFUNDED,
    REFUNDING,
    SETTLING,
    Web,
    buy_and_die,
    submit_checkout,
    work_and_die,
)
from tests.support.factories import make_category, make_product
from tests.support.payments_simulator import Simulator
from tests.support.polling import seconds_until, until
from tests.support.postgres_server import OwnPostgres

pytestmark = pytest.mark.xdist_group("recovery")  # one process, one PostgreSQL to kill
ON_HAND, PIECES = 5, 2
PAID, CALLED_OFF, GIVEN_BACK, NONE = "paid", "cancelled", "refunded", "no order"
LATENCY_MS = 30_000
BUSY_SESSIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'shop' AND state <> 'idle' AND pid <> pg_backend_pid()
"""
GIVEN_UP_S = 10
"""Much longer than a request waits for a database that hangs, and the end of the test where one waits for ever."""
HURRY_MS = 300
"""The deadline of a request, of which less than a second is to be overrun."""
ORDERS_OF_A_FULL_DISK = 20
"""Rows fit into the pages there are for a while."""
IN_SILENCE, IN_HASTE = "tok_timeout_charged", "tok_ok"


@dataclass(frozen=True)
class World:
    """A store whose servers may be killed. Its web process is the one that is there after a kill."""

    settings: Settings
    postgres: OwnPostgres
    simulator: Simulator
    database: Database
    web: Web

    def cart(self) -> uuid.UUID:
        """Fill the cart of a new guest with a product that nobody else wants; both have the same id."""
        cart = uuid.uuid4()
        with self.database.transaction() as session:
            make_product(session, make_category(session, f"of-{cart}"), str(cart), on_hand=ON_HAND)
        CartService(self.database, offers).add(CartOwner(guest_cart_id=cart), str(cart), PIECES)
        return cart

    def let_claims_run_out(self) -> None:
        """Let the time pass in which a dead process counts as alive, a charge as on its way, and a call as put off."""
        with self.database.transaction() as session:
            session.execute(
                text("UPDATE payments SET claimed_until = now() - interval '1 second', next_attempt_at = NULL")
            )
            session.execute(text("UPDATE idempotency_keys SET claimed_until = now() - interval '1 second'"))
            session.execute(text("UPDATE orders SET created_at = created_at - :age"), {"age": GIVE_UP_AFTER})

    def press_again(self, cart: uuid.UUID, token: str = "tok_ok") -> str:
        """Let a shopper send the same again; return how her order stands."""
        self.let_claims_run_out()
        assert self.web.buy(cart, token).status_code == 201
        return self.stands(cart)

    def complete(self, cart: uuid.UUID) -> str:
        """Let the worker do its rounds; return how the order of a cart stands."""
        self.let_claims_run_out()
        for _ in "12":
            self.web.runtime.services().completer.run_once()
        return self.stands(cart)

    def busy_sessions(self) -> int:
        """Return how many sessions of the server are in the middle of something, but for the one that asks."""
        with self.database.reading() as session:
            return session.scalar(text(BUSY_SESSIONS))

    def mismatches(self) -> set[tuple[str, str]]:
        """Return what the auditor finds wrong on either side."""
        with self.database.transaction() as session:
            session.execute(text("DELETE FROM outbox"))  # nobody here hands messages on
        found = audit(self.settings, under_way_s=0, look_again_s=0).mismatches
        return {(mismatch.kind, mismatch.id) for mismatch in found}

    def stands(self, cart: uuid.UUID) -> str:
        """Return how the one order of a cart stands, the shelf being right."""
        with self.database.reading() as session:
            of_cart = "FROM orders JOIN order_lines ON order_id = orders.id JOIN products ON products.id = product_id"
            orders = session.scalars(text(f"SELECT status {of_cart} WHERE slug = :slug"), {"slug": str(cart)}).all()
            shelf = "SELECT on_hand, reserved FROM stock_items JOIN products ON id = product_id WHERE slug = :slug"
            left = tuple(session.execute(text(shelf), {"slug": str(cart)}).one())
        live = [status for status in orders if status != CALLED_OFF]
        assert len(live) <= 1
        end = live[0] if live else orders[0] if orders else NONE
        assert left == ((ON_HAND - PIECES) if end == PAID else ON_HAND, 0)
        return end


@pytest.fixture(scope="module")
def servers_of_its_own(settings, tmp_path_factory):
    server = OwnPostgres()
    server.start()
    given = {
        "database_url": server.url,
        "payments_url": f"http://127.0.0.1:{free_port()}",
        "payments_breaker_calls": 10_000,  # what one test does to the provider is not held against the next
    }
    own = settings.model_copy(update=given)
    engine, simulator = build_engine(own), Simulator(own, tmp_path_factory.mktemp("killed"))
    upgrade(engine)
    runtime = build(own)
    yield World(own, server, simulator, Database(engine), Web(runtime))
    runtime.close()
    engine.dispose()
    simulator.kill()
    server.stop()


@pytest.fixture
def world(servers_of_its_own):
    """All of it up; and when the test is over, the books of both sides in order."""
    world = servers_of_its_own
    world.postgres.disk.free()
    world.postgres.start()
    world.simulator.start()
    world.simulator.behave()
    before = world.mismatches()
    yield world
    assert world.mismatches() - before == set()


@pytest.mark.parametrize("point", PHASES)
def test_a_web_process_killed(world, point):
    again, gone = world.cart(), world.cart()
    buy_and_die(world.settings, [again, gone], point)
    assert world.press_again(again) == PAID
    assert world.complete(gone) == {PLACING: NONE, "placed": CALLED_OFF}.get(point, PAID)


@pytest.mark.parametrize("point", PHASES)
def test_postgresql_killed(world, point):
    again, gone = world.cart(), world.cart()
    world.web.buy_and_call_at([again, gone], point, world.postgres.kill)
    world.postgres.start()
    assert world.press_again(again) == PAID
    assert world.complete(gone) == (NONE if point == PLACING else PAID)


@pytest.fixture
def hasty(world):
    """A web process whose requests give a hanging database up soon."""
    runtime = build(world.settings.model_copy(update={"db_statement_timeout_ms": 1_000}))
    yield Web(runtime)
    runtime.close()


@pytest.mark.parametrize("point", [PLACING, SETTLING])
def test_cut_commit_of_hanging_postgresql_settles_like_crash(world, hasty, point):
    again, gone = world.cart(), world.cart()
    goes_on = threading.Timer(GIVEN_UP_S, world.postgres.go_on)
    goes_on.start()
    answers = hasty.buy_and_call_at([again, gone], point, world.postgres.hang)
    assert goes_on.is_alive(), "they waited until it went on"
    goes_on.cancel()
    world.postgres.go_on()
    until(lambda: world.busy_sessions() == 0)  # what was cut is carried out, or given up
    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in answers} == {(503, "1")}
    assert hasty.runtime.database.engine.pool.checkedout() == 0
    assert world.press_again(again) == PAID
    assert world.complete(gone) in ((PAID,) if point == SETTLING else (NONE, CALLED_OFF))


@pytest.fixture
def unconnected(world):
    """A web process that has no connection to PostgreSQL yet, and a hurry."""
    runtime = build(world.settings.model_copy(update={"request_timeout_ms": HURRY_MS}))
    web = Web(runtime)
    runtime.database.engine.dispose()
    yield web
    runtime.close()


def test_connecting_to_hanging_postgresql_ends_at_deadline(world, unconnected):
    shopper = unconnected.shopper(world.cart())
    world.postgres.hang()
    goes_on = threading.Timer(GIVEN_UP_S, world.postgres.go_on)
    goes_on.start()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(shopper.get, "/api/v1/cart")
        took_s = seconds_until(asked.done)
    goes_on.cancel()
    world.postgres.go_on()
    answer = asked.result()
    assert (answer.status_code, answer.json["type"]) == (503, "/problems/unavailable")
    assert answer.headers["Retry-After"]
    assert took_s < HURRY_MS / 1000 + 1


@pytest.mark.parametrize(
    "point",
    [
        PLACING,
        SETTLING,
        # test_postgresql_killed ends the server at these points, too
        *(pytest.param(point, marks=pytest.mark.long) for point in PHASES if point not in (PLACING, SETTLING)),
    ],
)
def test_no_room_for_the_log_of_postgresql(world, point):
    needs_small_disk(world)
    again, gone = world.cart(), world.cart()
    world.web.buy_and_call_at([again, gone], point, world.postgres.fill_log)
    refused = world.web.buy(again)
    assert (refused.status_code, refused.json["type"]) == (503, "/problems/unavailable")
    assert refused.headers["Retry-After"]
    world.postgres.disk.free()
    world.postgres.start()
    assert world.press_again(again) == PAID
    assert world.complete(gone) == (NONE if point == PLACING else PAID)


def test_no_room_for_the_rows_of_an_order(world):
    needs_small_disk(world)
    carts = [world.cart() for _ in range(ORDERS_OF_A_FULL_DISK)]
    world.postgres.disk.fill()
    answers = {cart: world.web.buy(cart) for cart in carts}
    refused = [cart for cart in carts if answers[cart].status_code != 201]
    assert refused, "there was room for all"
    assert {answers[cart].status_code for cart in refused} == {503}
    assert all(answers[cart].headers["Retry-After"] for cart in refused)
    assert all(world.stands(cart) == PAID for cart in carts if cart not in refused)
    world.postgres.disk.free()
    world.postgres.start()
    gone = refused.pop()
    assert all(world.press_again(cart) == PAID for cart in refused)
    assert world.complete(gone) in (NONE, CALLED_OFF, PAID)


@pytest.mark.parametrize("point", ["placed", "answered"])
def test_provider_killed_before_or_after_its_answer(world, point):
    again, gone = world.cart(), world.cart()
    world.web.buy_and_call_at([again, gone], point, world.simulator.kill)
    world.simulator.start()
    assert world.press_again(again) == PAID
    assert world.complete(gone) == (CALLED_OFF if point == "placed" else PAID)


@pytest.mark.parametrize("token", [IN_HASTE, IN_SILENCE], ids=["before it charged", "after it charged"])
def test_the_provider_killed_over_a_charge(world, token):
    again, gone = world.cart(), world.cart()
    world.simulator.behave(latency_ms=LATENCY_MS if token == IN_HASTE else 0)
    killer = threading.Thread(target=_kill_over_a_charge, args=(world.simulator, token))
    world.web.buy_and_call_at([again, gone], "placed", killer.start, token)
    killer.join()
    world.simulator.start()
    world.simulator.behave()
    assert world.press_again(again, token) == PAID
    assert world.complete(gone) == (PAID if token == IN_SILENCE else CALLED_OFF)


@pytest.mark.parametrize("point", [ASKING, FOUND, SETTLING])
@pytest.mark.parametrize("left_at", ["placed", "answered"])
def test_the_worker_killed_over_what_a_web_process_left(world, left_at, point):
    again, gone = world.cart(), world.cart()
    buy_and_die(world.settings, [again, gone], left_at)
    world.let_claims_run_out()
    for _ in (again, gone):  # the first one's claim outlives the worker, so the next worker takes the other
        work_and_die(world.settings, point)
    assert world.press_again(again) == PAID
    assert world.complete(gone) == (CALLED_OFF if left_at == "placed" else PAID)


@pytest.mark.parametrize("point", [REFUNDING, REFUNDED, SETTLING])
def test_the_worker_killed_over_a_refund_that_is_owed(world, point):
    cart = world.cart()
    client = world.web.shopper(cart)
    order = submit_checkout(client).json["order"]["id"]
    world.simulator.behave(outage=True)
    assert client.post(f"/api/v1/orders/{order}/cancel").json["refund_pending"]
    world.simulator.behave()
    world.let_claims_run_out()
    work_and_die(world.settings, point)
    assert world.complete(cart) == GIVEN_BACK


def needs_small_disk(world: World) -> None:
    """Skip where no small file system can be mounted."""
    if not world.postgres.disk.bounded:
        pytest.skip("only root can mount a disk that is small enough to be filled, and only on Linux")


def _kill_over_a_charge(simulator: Simulator, token: str) -> None:
    wanted, deadline = simulator.count() + (2 if token == IN_SILENCE else 0), time.monotonic() + 5
    time.sleep(0.1)
    while simulator.count() < wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    simulator.kill()
