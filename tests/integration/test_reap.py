import json
from datetime import UTC, datetime, timedelta

from click.testing import CliRunner
from sqlalchemy import func, select, text

from shop.cart import reaper
from shop.cart.models import Cart, CartItem
from shop.cart.reaper import CartReaper
from shop.cli.reap import reap
from tests.support.factories import make_category, make_product, make_user


def test_command_reaps_and_prints_counts(settings, database, monkeypatch):
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO idempotency_keys (owner, route, key, fingerprint, claim, claimed_until, expires_at)"
                " VALUES ('user:1', 'POST /', 'old', 'f', gen_random_uuid(), :then, :then)"
            ),
            {"then": datetime(2020, 1, 1, tzinfo=UTC)},
        )
    told = CliRunner().invoke(reap, ["--json"])
    assert json.loads(told.output) == {
        "keys": 1,
        "sessions": 0,
        "carts": 0,
        "checkouts": {"paid": 0, "undone": 0, "refunded": 0, "left": 0},
    }
    told = CliRunner().invoke(reap).output
    assert told.startswith("Deleted: 0 keys, 0 sessions and tokens, 0 guests' carts.")


def test_guest_carts_are_deleted_after_their_cookies_expire(database, monkeypatch):
    monkeypatch.setattr(reaper, "REAPED_AT_ONCE", 2)
    with database.transaction() as session:
        category = make_category(session)
        mug, user = make_product(session, category), make_user(session)
        made = {
            "old": Cart(created_at=days_ago(40), updated_at=days_ago(29)),
            "older": Cart(created_at=days_ago(90), updated_at=days_ago(90)),
            "oldest": Cart(created_at=days_ago(99), updated_at=days_ago(99)),
            "added to": Cart(created_at=days_ago(90), updated_at=days_ago(27)),
            "account": Cart(created_at=days_ago(90), updated_at=days_ago(90), user_id=user.id),
        }
        for cart in made.values():
            session.add(cart)
            session.flush()
            session.add(CartItem(cart_id=cart.id, product_id=mug.id, quantity=1, seen_price_amount=1299))
        ids = {cart.id: name for name, cart in made.items()}
    carts = CartReaper(database, timedelta(days=14))
    assert (carts.run_once(), carts.run_once()) == (3, 0)
    with database.reading() as session:
        assert {ids[one] for one in session.scalars(select(Cart.id))} == {"added to", "account"}
        assert session.scalar(select(func.count()).select_from(CartItem)) == 2


def days_ago(days):
    return datetime.now(UTC) - timedelta(days=days)
