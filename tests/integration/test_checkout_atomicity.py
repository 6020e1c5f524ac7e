import uuid

import pytest
from sqlalchemy import text

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.checkout.details import CheckoutDetails
from shop.orders.service import OrderViewer
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product

TABLES = ("orders", "order_lines", "order_events", "stock_items", "payments", "cart_items")
PLACING = [
    ("orders", "INSERT", "true"),
    ("order_lines", "INSERT", "NEW.position = 2"),
    ("order_events", "INSERT", "NEW.type = 'OrderPlaced'"),
    ("stock_items", "UPDATE", "NEW.reserved = 1"),
    ("stock_items", "UPDATE", "NEW.reserved = 2"),
    ("payments", "INSERT", "true"),
]
PAYING = [
    ("order_events", "INSERT", "NEW.type = 'PaymentCharged'"),
    ("orders", "UPDATE", "NEW.status = 'paid'"),
    ("stock_items", "UPDATE", "NEW.on_hand = 8"),
    ("stock_items", "UPDATE", "NEW.on_hand = 9"),
    ("payments", "UPDATE", "NEW.status = 'charged'"),
    ("cart_items", "DELETE", "true"),
]
REFUSING = [
    ("order_events", "INSERT", "NEW.type = 'PaymentDeclined'"),
    ("order_events", "INSERT", "NEW.type = 'OrderCancelled'"),
    ("orders", "UPDATE", "NEW.status = 'cancelled'"),
    ("stock_items", "UPDATE", "OLD.reserved > NEW.reserved"),
    ("payments", "UPDATE", "NEW.status = 'declined'"),
]
CANCELLING = [
    ("order_events", "INSERT", "NEW.type = 'OrderCancelled'"),
    ("orders", "UPDATE", "NEW.status = 'cancelled'"),
    ("stock_items", "UPDATE", "NEW.on_hand > OLD.on_hand"),
    ("payments", "UPDATE", "NEW.status = 'refund_pending'"),
]


@pytest.fixture
def failing(database):
    """Make one statement fail, after it has done its work."""

    def fail(table, operation, condition):
        with database.transaction() as session:
            session.execute(
                text(
                    "CREATE OR REPLACE FUNCTION planned_failure() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN RAISE EXCEPTION 'planned'; END $$"
                )
            )
            session.execute(
                text(
                    f"CREATE TRIGGER planned_failure AFTER {operation} ON {table} FOR EACH ROW"
                    f" WHEN ({condition}) EXECUTE FUNCTION planned_failure()"
                )
            )

    def mend():
        with database.transaction() as session:
            session.execute(text("DROP FUNCTION IF EXISTS planned_failure() CASCADE"))

    fail.mend = mend
    yield fail
    mend()


@pytest.fixture
def owner(database, simulator):
    """A guest with two pieces of one product and one of another."""
    owner, carts = CartOwner(guest_cart_id=uuid.uuid4()), CartService(database, offers)
    with database.transaction() as session:
        category = make_category(session)
        make_product(session, category, "mug", on_hand=10)
        make_product(session, category, "tray", on_hand=10)
    carts.add(owner, "mug", 2)
    carts.add(owner, "tray", 1)
    return owner


def picture(database):
    """Everything the tables hold, but for the time until which a payment is claimed."""
    with database.reading() as session:
        return {
            table: sorted(
                session.scalars(text(f"SELECT (to_jsonb(t) - 'claimed_until' - 'updated_at')::text FROM {table} t"))  # noqa: S608 - names of ours
            )
            for table in TABLES
        }


def submit(runtime, owner, token="tok_ok"):
    details = CheckoutDetails.model_validate({**DETAILS, "payment": {"token": token}})
    return runtime.services().checkout.submit(owner, "the-key", details)


def let_the_claim_run_out(database):
    with database.transaction() as session:
        session.execute(text("UPDATE payments SET claimed_until = now() - interval '1 second'"))


@pytest.mark.parametrize("statement", PLACING, ids=" ".join)
def test_an_order_is_placed_whole_or_not_at_all(runtime, database, owner, failing, statement):
    before = picture(database)
    failing(*statement)
    with pytest.raises(Exception, match="planned"):
        submit(runtime, owner)
    assert picture(database) == before


@pytest.mark.parametrize("statement", PAYING, ids=" ".join)
def test_an_order_is_paid_whole_or_not_at_all_and_its_replay_finishes_it(runtime, database, owner, failing, statement):
    seen = []
    runtime.services().checkout._reached = lambda point: seen.append(picture(database))
    failing(*statement)
    with pytest.raises(Exception, match="planned"):
        submit(runtime, owner)
    assert picture(database) == seen[0]
    failing.mend()
    let_the_claim_run_out(database)
    submit(runtime, owner)
    after = picture(database)
    assert '"status": "paid"' in after["orders"][0]
    assert '"status": "charged"' in after["payments"][0]
    assert after["cart_items"] == []


@pytest.mark.parametrize("statement", REFUSING, ids=" ".join)
def test_an_order_is_refused_whole_or_not_at_all(runtime, database, owner, failing, statement):
    seen = []
    runtime.services().checkout._reached = lambda point: seen.append(picture(database))
    failing(*statement)
    with pytest.raises(Exception, match="planned"):
        submit(runtime, owner, "tok_declined")
    assert picture(database) == seen[0]


@pytest.mark.parametrize("statement", CANCELLING, ids=" ".join)
def test_an_order_is_cancelled_whole_or_not_at_all(runtime, database, owner, failing, statement):
    order = submit(runtime, owner)
    before = picture(database)
    failing(*statement)
    with pytest.raises(Exception, match="planned"):
        runtime.services().cancellation.cancel(OrderViewer(guest_id=owner.guest_cart_id), order.public_id)
    assert picture(database) == before
