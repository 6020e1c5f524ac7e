"""A guest signs in while her checkout is open: it is charged once, and what is bought leaves the cart that holds it."""

import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text

from shop.app import create_app
from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.checkout.recovery_points import RecoveryPoint
from shop.orders.models import Order
from shop.patterns.idempotency.models import IdempotencyKey
from shop.payments.models import Payment
from tests.support.accounts import PASSWORD, make_account
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product
from tests.support.webhook_messages import post_webhook, webhook_body

OWN, OTHER = "robin@shop.test", "robin.at.work@shop.test"
"""The account's e-mail, and one that is not."""
EMAILS = [OWN, OTHER]
WAIT_S = 30


class ProcessDied(BaseException):
    """Ends a checkout where it stands; nothing of the store's catches it."""


class Tab:
    """One browser window with cookies of its own, which sends a checkout by the API or by the form."""

    def __init__(self, app, way, email, cart=None):
        self.client, self.way, self.email = app.test_client(), way, email
        if cart is not None:
            with self.client.session_transaction() as session:
                session["cart"] = str(cart)
        self.form, self.token = "", "tok_ok"

    def look(self):
        """Open the form, which agrees to the lines it shows."""
        page = self.client.get("/checkout").text
        self.form = (re.findall(r'name="lines" value="(\w+)"', page) or [""])[0]
        return self

    def send(self, key, lines=None):
        if self.way == "API":
            body = {**DETAILS, "email": self.email, "payment": {"token": self.token}}
            return self.client.post("/api/v1/checkout", json=body, headers={"Idempotency-Key": key})
        fields = {**DETAILS["address"], "email": self.email, "token": self.token, "key": key}
        return self.client.post("/checkout", data={**fields, "lines": lines or self.form})

    def sign_in(self, entry):
        account = {"email": OWN, "password": PASSWORD, "name": "Robin"}
        if entry == "register" and self.way == "form":
            assert self.client.post("/register", data=account).status_code == 303
            return
        if entry == "register":
            assert self.client.post("/api/v1/users", json=account).status_code == 201
        del account["name"]
        if self.way == "API":
            assert self.client.post("/api/v1/session", json=account).status_code == 200
        else:
            assert self.client.post("/login", data=account).status_code == 303

    def who(self):
        return self.client.get("/api/v1/me").json["user"]

    def held(self):
        return self.client.get("/api/v1/cart").json["count"]


class Window:
    """A guest with a checkout, and the tab in which she signs in meanwhile."""

    def __init__(self, runtime, simulator, way, email):
        self.runtime, self.database, self.simulator = runtime, runtime.database, simulator
        self.app, self.cart = create_app(runtime), uuid.uuid4()
        self.app.testing = True  # what is raised on purpose comes out
        with self.database.transaction() as session:
            make_product(session, make_category(session), "mug", on_hand=10, price_amount=1000)
        CartService(self.database, offers).add(CartOwner(guest_cart_id=self.cart), "mug", 2)
        self.one, self.two = Tab(self.app, way, email, self.cart).look(), Tab(self.app, way, email)
        self.two.client.set_cookie("session", self.one.client.get_cookie("session").value)  # as of the same browser
        self._go_on, self._reached = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def begin(self, state):
        """Let tab one send its checkout; return when it is there, or when it is answered."""
        if state != "settled":
            self.runtime.services().checkout.on_recovery_point = lambda point: self._wait(point, state)
        self.sent = self._pool.submit(self.one.send, "the-key")
        assert self._reached.wait(WAIT_S) if state != "settled" else self.sent.result(WAIT_S)
        self.runtime.services().checkout.on_recovery_point = lambda point: None

    def leave(self):
        """Let tab one's process die when the provider has charged and nothing of it is written down."""
        self.runtime.services().checkout.on_recovery_point = self._die
        with pytest.raises(ProcessDied):
            self.one.send("the-key")
        self.runtime.services().checkout.on_recovery_point = lambda point: None
        self.let_claims_run_out()

    def finish(self):
        self._go_on.set()
        return self.sent.result(WAIT_S)

    def close(self):
        self._go_on.set()
        self._pool.shutdown()

    def let_claims_run_out(self):
        with self.database.transaction() as session:
            session.execute(text("UPDATE payments SET claimed_until = now() - interval '1 second'"))
            session.execute(text("UPDATE idempotency_keys SET claimed_until = now() - interval '1 second'"))

    def statuses(self):
        with self.database.reading() as session:
            return session.scalars(select(Order.status).order_by(Order.id)).all()

    def order(self):
        with self.database.reading() as session:
            return session.scalars(select(Order)).one()

    def charges(self):
        with self.database.reading() as session:
            keys = session.scalars(select(Payment.charge_key)).all()
        found = [charge for key in keys for charge in self.simulator.charges(key)]
        return sum(charge["status"] == "succeeded" for charge in found)

    @staticmethod
    def _die(point):
        if point == RecoveryPoint.ANSWERED:
            raise ProcessDied

    def _wait(self, point, state):
        if point == RecoveryPoint(state):
            self._reached.set()
            assert self._go_on.wait(WAIT_S)


@pytest.fixture
def window(runtime, simulator):
    opened = []

    def make(way="API", email=OWN, *, account=True):
        if account:
            with runtime.database.transaction() as session:
                make_account(session, OWN)
        opened.append(Window(runtime, simulator, way, email))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.mark.parametrize("email", EMAILS)
@pytest.mark.parametrize("entry", ["log in", "register"])
@pytest.mark.parametrize("way", ["API", "form"])
@pytest.mark.parametrize("state", ["placed", "answered", "settled"])
def test_signing_in_during_a_checkout_charges_once(window, state, way, entry, email):
    shop = window(way, email, account=entry == "log in")
    shop.begin(state)
    shop.two.sign_in(entry)
    if state != "settled":
        lines = shop.two.look().form
        assert [shop.two.send(key, lines).status_code for key in ("the-key", "a-new-key")] == [409, 409]
        assert "paid for in another tab" in shop.two.send("a-new-key", lines).text
    told = shop.finish()
    assert told.status_code == (201 if way == "API" else 303)
    assert "Set-Cookie" not in told.headers
    assert shop.two.who()["email"] == OWN
    assert shop.two.held() == 0
    new, same = shop.two.send("a-new-key"), shop.two.send("the-key", shop.one.form)
    assert (new.status_code, new.location) == ((422, None) if way == "API" else (303, "/cart"))
    if email == OWN:
        assert (same.status_code, same.location) == (told.status_code, told.location)
    else:
        assert same.status_code == 409
        assert "was paid for before you signed in" in same.text
    seen = shop.two.client.get(f"/api/v1/orders/{shop.order().public_id}").status_code
    assert seen == (200 if email == OWN else 404)
    if way == "form":  # where tab one is led to
        page = shop.two.client.get(told.location).text
        assert ("Thank you" if email == OWN else "the link in your mail opens it") in page
    assert (shop.statuses(), shop.charges()) == (["paid"], 1)


@pytest.mark.parametrize("email", EMAILS)
@pytest.mark.parametrize("way", ["API", "form"])
def test_the_account_sends_again_what_was_charged_and_never_answered(window, way, email):
    shop = window(way, email)
    shop.leave()
    shop.two.sign_in("log in")
    again = shop.two.send("the-key")
    if email == OWN:
        assert again.status_code == (201 if way == "API" else 303)
    else:
        assert again.status_code == 409
        assert "was paid for before you signed in" in again.text
    assert shop.two.held() == 0
    assert (shop.statuses(), shop.charges()) == (["paid"], 1)


@pytest.mark.parametrize("settled_by", ["the completer", "the provider's message"])
def test_late_settlement_removes_lines_from_present_cart(window, settled_by):
    shop = window()
    shop.leave()
    shop.two.sign_in("log in")
    shop.two.client.post("/api/v1/cart/items", json={"product": "mug", "quantity": 3})
    assert shop.two.held() == 5
    if settled_by == "the completer":
        assert shop.runtime.services().completer.run_once().paid == 1
    else:
        (charge,) = shop.simulator.charges(f"order-{shop.order().public_id}")
        assert (
            post_webhook(shop.two.client, shop.runtime.settings, webhook_body("charge.succeeded", charge)).status_code
            == 204
        )
    assert shop.two.held() == 3
    assert (shop.statuses(), shop.charges()) == (["paid"], 1)


def test_account_waits_for_guests_open_checkout_during_outage(window, simulator):
    shop = window(email=OTHER)
    shop.leave()
    shop.two.sign_in("log in")
    simulator.behave(outage=True)
    assert [shop.two.send(key).status_code for key in ("the-key", "a-new-key")] == [409, 409]
    simulator.behave()
    assert [shop.two.send(key).status_code for key in ("a-new-key", "the-key")] == [409, 409]
    assert (shop.two.held(), shop.statuses(), shop.charges()) == (0, ["paid"], 1)


def test_failed_guest_checkout_lets_account_buy(window):
    shop = window(email=OTHER)
    shop.one.token = "tok_declined"
    shop.begin("placed")
    shop.two.sign_in("log in")
    assert shop.finish().status_code == 402
    assert shop.two.held() == 2
    assert shop.two.send("a-new-key").status_code == 201
    assert (shop.statuses(), shop.charges()) == (["cancelled", "paid"], 1)


def test_a_key_that_the_account_has_used_stays_the_accounts(window):
    shop = window()
    account = Tab(shop.app, "API", OWN)
    account.sign_in("log in")
    account.client.post("/api/v1/cart/items", json={"product": "mug", "quantity": 1})
    first = account.send("the-key").json["order"]["id"]
    assert shop.one.send("the-key").status_code == 201
    shop.two.sign_in("log in")
    assert shop.two.send("the-key").json["order"]["id"] == first
    assert (shop.two.held(), shop.statuses()) == (0, ["paid", "paid"])


def test_account_replays_guests_answered_cart_addition(window):
    shop = window()
    more = {"json": {"product": "mug", "quantity": 3}, "headers": {"Idempotency-Key": "more"}}
    first = shop.one.client.post("/api/v1/cart/items", **more)
    shop.two.sign_in("log in")
    again = shop.two.client.post("/api/v1/cart/items", **more)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert shop.two.held() == 5


def test_an_answer_that_tells_of_the_guests_order_stays_hers(window):
    shop = window(email=OTHER)
    assert shop.one.send("the-key").status_code == 201
    undo = f"/api/v1/orders/{shop.order().public_id}/cancel", {"headers": {"Idempotency-Key": "undo"}}
    assert shop.one.client.post(undo[0], **undo[1]).status_code == 200
    shop.two.sign_in("log in")
    assert shop.two.client.post(undo[0], **undo[1]).status_code == 404
    with shop.database.reading() as session:
        kept_for = session.scalar(select(IdempotencyKey.owner).where(IdempotencyKey.status == 200))
    assert kept_for == f"guest:{shop.cart}"
