import pytest
from sqlalchemy import text

from shop.checkout.details import CheckoutDetails
from shop.orders.service import OrderViewer
from tests.support.checkout_processes import DETAILS
from tests.support.checkout_records import expire_payment_claims
from tests.support.guest_carts import guest_with_cart

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
def owner(database, simulator, product_on_shelf):
    """A guest with two pieces of one product and one of another."""
    product_on_shelf("mug")
    product_on_shelf("tray")
    return guest_with_cart(database, {"mug": 2, "tray": 1})


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


@pytest.mark.parametrize("statement", PLACING, ids=" ".join)
def test_an_order_is_placed_whole_or_not_at_all(runtime, database, owner, failing, statement):
    before = picture(database)
    failing(*statement)
    with pytest.raises(Exception, match="planned"):
        submit(runtime, owner)
    assert picture(database) == before


@pytest.mark.parametrize("statement", PAYING, ids=" ".join)
def test_order_is_paid_entirely_or_finished_by_replay(runtime, database, owner, failing, statement):
    seen = []
    runtime.services().checkout.on_recovery_point = lambda point: seen.append(picture(database))
    failing(*statement)
    with pytest.raises(Exception, match="planned"):
        submit(runtime, owner)
    assert picture(database) == seen[0]
    failing.mend()
    expire_payment_claims(database)
    submit(runtime, owner)
    after = picture(database)
    assert '"status": "paid"' in after["orders"][0]
    assert '"status": "charged"' in after["payments"][0]
    assert after["cart_items"] == []


@pytest.mark.parametrize("statement", REFUSING, ids=" ".join)
def test_an_order_is_refused_whole_or_not_at_all(runtime, database, owner, failing, statement):
    seen = []
    runtime.services().checkout.on_recovery_point = lambda point: seen.append(picture(database))
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
