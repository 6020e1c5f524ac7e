"""Data subject rights: export of all personal data, and erasure that leaves the other data consistent."""

import json
import re
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, text, update

from shop.accounts.models import User
from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.checkout.details import CheckoutDetails
from shop.cli import main
from shop.errors import NotFound, StateConflict
from shop.orders.models import Order
from shop.orders.projection_rebuild import ProjectionRebuilder
from shop.orders.service import OrderViewer
from shop.patterns.outbox.relay import OutboxRelay
from shop.reconciliation.audit import audit
from tests.support.accounts import PASSWORD, make_account, sign_in
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product
from tests.support.polling import until

ANN = "ann@shop.test"
BOB = "bob@shop.test"
HOUSE = "Quittengasse 17"
WORK = "quince@work.test"
NAMES = (ANN, WORK, "Ann Quince", HOUSE)
"""Values that no table may contain after the erasure."""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"


class Store:
    """A store in which Ann and Bob have bought, written and asked."""

    def __init__(self, runtime, client, simulator):
        self.runtime, self.client, self.database = runtime, client, runtime.database
        self.services = runtime.services()
        simulator.damage("DELETE FROM refunds")
        simulator.damage("DELETE FROM charges")
        with self.database.transaction() as session:
            category = make_category(session)
            for slug in ("mug", "pot"):
                make_product(session, category, slug, on_hand=50)
            self.ann = make_account(session, ANN, name="Ann Quince").id
            self.bob = make_account(session, BOB, name="Bob Vale").id

    def buy(self, email=ANN, name="Ann Quince", line1=HOUSE, user_id=None, token="tok_ok"):
        owner = CartOwner(user_id=user_id) if user_id else CartOwner(guest_cart_id=uuid.uuid4())
        CartService(self.database, offers).add(owner, "mug", 1)
        details = {**DETAILS, "email": email, "address": {**DETAILS["address"], "name": name, "line1": line1}}
        details["payment"] = {"token": token}
        done = self.services.checkout.submit(owner, uuid.uuid4().hex, CheckoutDetails.model_validate(details))
        return done.public_id

    def deliver(self, *public_ids):
        for public_id in public_ids:
            self.services.orders.ship(public_id)
            self.services.orders.deliver(public_id)

    def send_mails(self):
        found = []
        while OutboxRelay(self.database, found.append, lambda: 1000).run_once():
            pass
        for message in found:
            consumer = (
                self.services.confirmation_consumer if message.aggregate == "order" else self.services.password_mail
            )
            consumer.handle(message)
        return found

    def live(self, email, name):
        """Sign in, fill a cart under a key, write a review, get a token, ask for a link."""
        browser = self.client.application.test_client()
        sign_in(browser, email)
        key = {"Idempotency-Key": f"key of {email}"}
        browser.post("/api/v1/cart/items", json={"product": "pot", "quantity": 2}, headers=key)
        browser.post("/api/v1/products/mug/reviews", json={"rating": 4, "body": "Holds tea."})
        browser.post("/api/v1/tokens", json={"email": email, "password": PASSWORD})
        browser.post("/api/v1/password-resets", json={"email": email})
        return browser

    def found(self, word):
        """Return the tables that hold a word anywhere."""
        with self.database.reading() as session:
            return [
                table
                for table in session.scalars(text(TABLES))
                if session.scalar(text(f"SELECT count(*) FROM {table} AS t {NAMING}"), {"word": word})  # noqa: S608
            ]


NAMING = (
    "WHERE strpos(lower(t::text), lower(:word)) > 0 OR strpos(t::text, encode(convert_to(:word, 'UTF8'), 'hex')) > 0"
)
"""Bytes are shown in hexadecimal digits."""


@pytest.fixture
def store(runtime, client, simulator):
    return Store(runtime, client, simulator)


@pytest.fixture
def lived(store):
    """Ann has one order by her account and one as a guest, both delivered, and all else a person leaves behind."""
    store.buy(BOB, "Bob Vale", "Elmweg 2", user_id=store.bob)
    store.send_mails()
    store.mine, store.as_guest = store.buy(WORK, user_id=store.ann), store.buy("Ann@shop.test")
    store.deliver(store.mine, store.as_guest)
    store.send_mails()
    store.browser = store.live(ANN, "Ann Quince")
    return store


@pytest.fixture
def shop(store, settings, monkeypatch):
    """The command, for the store of these tests."""
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(main, ["customer", *words])


def test_all_that_is_held_is_one_document(lived, shop):
    lived.send_mails()
    done = shop("export", " Ann@Shop.test ")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told["account"]["name"] == "Ann Quince"
    assert {order["public_id"] for order in told["orders"]} == {lived.mine, lived.as_guest}
    for order in told["orders"]:
        assert order["address"]["line1"] == HOUSE
        assert order["payment"]["status"] == "charged"
        assert order["events"][0]["type"] == "OrderPlaced"
        assert order["lines"][0]["quantity"] == 1
    assert [review["body"] for review in told["reviews"]] == ["Holds tea."]
    assert told["carts"] == [{"items": [{"product": "pot", "title": "Pot", "quantity": 2}]}]
    assert [len(told[name]) for name in ("sessions", "tokens", "password_resets")] == [1, 1, 1]
    assert sorted(mail["subject"].split()[0] for mail in told["mails"]) == ["Set", "Your", "Your"]
    assert [answer["route"] for answer in told["kept_answers"]] == ["POST /api/v1/cart/items"]
    assert "Bob" not in done.stdout


def test_a_document_opens_nothing(lived, shop):
    lived.send_mails()
    with lived.database.reading() as session:
        sent = "\n".join(session.scalars(text("SELECT text FROM mails")))
        hashed = session.scalar(select(User.password_hash).where(User.id == lived.ann))
    links = set(re.findall(r"token=([\w.~-]+)", sent))
    assert len(links) == 2  # to the guest's order, and to set a password
    told = shop("export", ANN).stdout
    assert not [secret for secret in (hashed, lived.browser.get_cookie("account").value, *links) if secret in told]


def test_once_forgotten_no_table_names_her(lived, shop):
    lived.send_mails()
    lived.live(ANN, "Ann Quince")  # a message that waits, and another link
    assert {"users", "orders", "mails", "reviews", "outbox"} <= set(lived.found(ANN) + lived.found("Ann Quince"))
    done = shop("forget", ANN, "--yes", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["account"], told["orders"], told["reviews"], told["carts"]) == (True, 2, 1, 2)
    assert (told["mails"], told["messages"], told["answers"]) == (3, 1, 1)
    assert {word: lived.found(word) for word in NAMES} == {word: [] for word in NAMES}
    assert lived.found("Bob Vale")
    assert lived.found("Elmweg 2")


def test_stored_registration_response_is_erased_by_its_content(store, shop):
    given = {"email": "cy@shop.test", "password": "seven quiet rivers", "name": "Cy Lark"}
    assert store.client.post("/api/v1/users", json=given, headers={"Idempotency-Key": "one"}).status_code == 201
    assert "idempotency_keys" in store.found("cy@shop.test")
    assert shop("forget", "cy@shop.test", "--yes").exit_code == 0
    assert store.found("cy@shop.test") + store.found("Cy Lark") == []


def test_projections_and_books_are_unchanged_by_erasure(lived, shop):
    before = lived.services.orders.detail(OrderViewer(lived.ann), lived.mine).orders[0]
    lived.send_mails()
    assert shop("forget", ANN, "--yes").exit_code == 0
    replaying = ProjectionRebuilder(lived.database)
    assert replaying.verify().differences == ()
    replaying.rebuild()
    assert replaying.verify().differences == ()
    assert [
        found for found in audit(lived.runtime.settings, 0.0, 0.0).mismatches if found.kind != "message_waiting"
    ] == []
    after = lived.services.orders.detail(OrderViewer(lived.ann), lived.mine).orders[0]
    assert (after.total, after.lines, after.events) == (before.total, before.lines, before.events)
    assert after.address == {"name": "", "line1": "", "city": "", "postcode": "", "country": "DE"}


def test_erasure_revokes_all_access_and_frees_email_address(lived, shop):
    guest_id = uuid.UUID(int=5)
    with lived.database.transaction() as session:
        session.execute(update(Order).where(Order.public_id == lived.as_guest).values(guest_id=guest_id))
    link, device = lived.services.order_links.guest_path(lived.as_guest), lived.client.application.test_client()
    assert device.get(link, follow_redirects=True).status_code == 200
    assert shop("forget", ANN, "--yes").exit_code == 0
    assert device.get(link).status_code == 404
    assert device.get(f"/orders/{lived.as_guest}").status_code == 404  # nor by the pass it was given before
    assert lived.browser.get("/api/v1/me").json["user"] is None
    assert sign_in(lived.client, ANN).status_code == 401
    with pytest.raises(NotFound):
        lived.services.orders.detail(OrderViewer(guest_id=guest_id), lived.as_guest)
    again = {"email": ANN, "password": "seven quiet rivers", "name": "Another"}
    assert lived.client.post("/api/v1/users", json=again).status_code == 201
    sign_in(lived.client, ANN, "seven quiet rivers")
    assert lived.client.get("/api/v1/orders").json["items"] == []


def test_a_request_for_a_link_that_waits_is_forgotten_too(lived, shop):
    with lived.database.reading() as session:
        number = session.scalar(select(Order.number).where(Order.public_id == lived.as_guest))
    lived.send_mails()
    for email in (ANN, BOB):
        assert lived.client.post("/orders/link", data={"number": number, "email": email}).status_code == 303
    assert json.loads(shop("forget", ANN, "--yes", "--json").stdout)["messages"] == 1
    assert len(lived.found("order.link")) == 1  # what somebody else asked for


def test_review_stays_without_author_on_a_cached_page(lived, shop):
    path = "/api/v1/products/mug/reviews"
    assert lived.client.get(path).json["items"][0]["author"] == "Ann Quince"
    assert shop("forget", ANN, "--yes").exit_code == 0
    until(lambda: lived.client.get(path).json["items"][0]["author"] == "Former customer")  # the broadcast has arrived
    assert lived.client.get(path).json["items"][0]["body"] == "Holds tea."


def test_staff_see_that_an_address_was_deleted(lived, shop):
    assert shop("forget", ANN, "--yes").exit_code == 0
    with lived.database.transaction() as session:
        make_account(session, "admin@shop.test", role="admin")
    sign_in(lived.client, "admin@shop.test")
    page = lived.client.get(f"/orders/{lived.mine}")
    assert page.status_code == 200
    assert "deleted at the customer" in page.text


@pytest.mark.parametrize("moves", [(), ("ship",)])
def test_an_order_on_its_way_still_needs_its_address(store, shop, moves):
    public_id = store.buy()
    for move in moves:
        getattr(store.services.orders, move)(public_id)
    done = shop("forget", ANN, "--yes")
    assert done.exit_code == 1
    with store.database.reading() as session:
        number, email = session.execute(select(Order.number, Order.email)).one()
    assert number in done.stderr
    assert "Deliver or cancel" in done.stderr
    assert email == ANN
    assert sign_in(store.client, ANN).status_code == 200


def test_a_cancelled_order_needs_none(store, shop):
    public_id = store.buy(user_id=store.ann)
    store.services.cancellation.cancel(OrderViewer(store.ann), public_id)
    assert shop("forget", ANN, "--yes").exit_code == 0
    assert store.found(HOUSE) == []


def test_a_confirmation_that_comes_late_is_not_sent(store, shop):
    store.deliver(store.buy())
    found = []
    OutboxRelay(store.database, found.append, lambda: 1000).run_once()
    assert shop("forget", ANN, "--yes").exit_code == 0
    for message in found:
        store.services.confirmation_consumer.handle(message)
    assert store.found(HOUSE) == []
    with store.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM mails")) == 0


def test_an_order_of_another_account_is_that_account_s(store, shop):
    store.deliver(store.buy(ANN, "Bob Vale", "Elmweg 2", user_id=store.bob))
    done = shop("forget", ANN, "--yes")
    assert done.exit_code == 0
    assert "Orders of 1 other account have this address" in done.stdout
    assert store.found("Elmweg 2")


def test_erasure_keeps_idempotency_keys_of_other_accounts(store, shop):
    store.deliver(store.buy())
    store.live(BOB, "Bob Vale")
    with store.database.transaction() as session:
        session.execute(update(Order).values(checkout_owner=f"user:{store.bob}"))
    assert shop("forget", ANN, "--yes").exit_code == 0
    with store.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM idempotency_keys")) == 1


def test_order_placed_during_erasure_is_erased_next_time(store, shop):
    assert shop("forget", ANN, "--yes").exit_code == 0
    with store.database.transaction() as session:
        session.execute(update(User).where(User.id == store.ann).values(updated_at=func.now()))
    store.deliver(store.buy(user_id=store.ann))
    assert store.found(HOUSE)
    assert shop("forget", ANN, "--yes").exit_code == 0
    assert store.found(HOUSE) == []


@pytest.mark.parametrize(("words", "code"), [(["nobody@shop.test"], 1), (["nowhere"], 2)])
@pytest.mark.parametrize("command", ["export", "forget"])
def test_unknown_customer_and_invalid_address_are_reported(store, shop, command, words, code):
    done = shop(command, *words, *(["--yes"] if command == "forget" else []))
    assert (done.exit_code, done.stdout) == (code, "")
    assert words[0] in done.stderr


def test_erasure_without_confirmation_changes_nothing(store, shop):
    done = shop("forget", ANN)
    assert (done.exit_code, "--yes" in done.stderr) == (2, True)
    assert sign_in(store.client, ANN).status_code == 200


def test_forgetting_twice_finds_nothing_the_second_time(lived, shop):
    assert shop("forget", ANN, "--yes").exit_code == 0
    assert shop("forget", ANN, "--yes").exit_code == 1


def test_refusals_have_types(store):
    store.buy()
    with pytest.raises(StateConflict):
        store.services.personal_data.erase(ANN)
    with pytest.raises(NotFound):
        store.services.personal_data.export("nobody@shop.test")
