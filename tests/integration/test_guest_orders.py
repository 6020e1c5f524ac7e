"""A guest's own orders: found by the id her cookie carries, from the moment they are placed."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from shop.checkout.details import CheckoutDetails
from tests.support.accounts import PASSWORD, make_account, sign_in
from tests.support.checkout_processes import DETAILS
from tests.support.guest_browsers import FORM, browser, buy_by_form, check_out, copy_cookie, lines, order_access
from tests.support.polling import until

CARDS = ("tok_declined", "tok_error")


@pytest.fixture
def guest(client, database, simulator, product_on_shelf):
    """A guest's browser with a mug in the cart; ``guest.owner`` is the cart owner her cookie names."""
    product_on_shelf("mug", on_hand=100)
    return browser(client, database)


def listed(client):
    return [order["id"] for order in client.get("/api/v1/orders?limit=100").json["items"]]


def test_the_first_of_many_orders_is_still_there(guest):
    bought = []
    for number in range(22):
        guest.fill()
        bought.append(check_out(guest, key=f"key-{number}").json["order"]["id"])
    assert listed(guest) == bought[::-1]
    assert guest.get(f"/orders/{bought[0]}").status_code == 200


def test_guest_owns_order_even_if_response_was_lost(guest, runtime):
    details = CheckoutDetails.model_validate(DETAILS)
    lost = runtime.services().checkout.submit(guest.owner, "the-key", details).public_id
    assert listed(guest) == [lost]
    assert lost in guest.get("/orders").text
    assert guest.post(f"/api/v1/orders/{lost}/cancel").json["status"] == "refunded"


def test_no_answer_of_a_checkout_writes_a_cookie(guest):
    answers = [check_out(guest), check_out(guest), check_out(guest, email="other@example.org")]
    guest.fill()
    shown = lines(guest)
    answers += [guest.post("/checkout", data={**FORM, **shown, "key": "another"}) for _ in "12"]
    guest.fill()
    answers += [guest.post("/checkout", data={**FORM, **shown, "token": token, "key": token}) for token in CARDS]
    assert [answer.status_code for answer in answers] == [201, 201, 422, 303, 303, 402, 503]
    assert not any("Set-Cookie" in answer.headers for answer in answers)


def test_late_cart_response_does_not_replace_the_guest_cookie(guest):
    add = "/api/v1/cart/items", {"json": {"product": "mug"}}
    guest.post(add[0], **add[1])
    slow = guest.application.test_client()
    slow.set_cookie("session", guest.get_cookie("session").value)  # sent now, and answered after the next form
    guest.get("/checkout")
    assert "Set-Cookie" not in slow.post(add[0], **add[1]).headers


def test_the_page_after_the_payment_says_thank_you(guest):
    page = guest.post("/checkout", data={**FORM, **lines(guest), "key": "the-key"}, follow_redirects=True)
    assert "Thank you! Your order is placed and paid." in page.text
    assert "Set-Cookie" not in page.headers


def test_an_order_of_another_guest_is_not_there(guest, database):
    hers = check_out(guest).json["order"]["id"]
    other = browser(guest.application.test_client(), database)
    assert other.get(f"/orders/{hers}").status_code == 404
    assert other.post(f"/api/v1/orders/{hers}/cancel").status_code == 404
    assert other.get("/api/v1/orders").status_code == 401  # who has none is asked to sign in


def test_a_passer_by_has_no_orders(guest):
    check_out(guest)
    stranger = guest.application.test_client()
    assert stranger.get("/api/v1/orders").status_code == 401
    assert stranger.get("/orders").status_code == 200


NOTHING = (404, False, 404)
EVERYTHING = (200, True, 200)


@pytest.fixture
def account(database):
    """An account under the address that the guest's orders are placed with."""
    with database.transaction() as session:
        make_account(session, "robin@example.org")
        make_account(session, "ben@shop.test")


@pytest.mark.parametrize("email", ["robin@example.org", "Robin@Example.ORG"])
def test_order_with_own_address_moves_from_cookie_to_account(guest, account, email):
    order = buy_by_form(guest, email=email)
    old = copy_cookie(guest, guest.application.test_client())
    assert old.get(order).status_code == 200
    note = sign_in(guest, "robin@example.org").json["note"]
    assert "The order you placed in this browser as a guest is in your account now." in note
    assert order_access(old, order) == NOTHING
    assert order_access(guest, order) == EVERYTHING


def test_an_order_of_another_address_stays_with_the_guest(guest, account):
    order = buy_by_form(guest)
    old = copy_cookie(guest, guest.application.test_client())
    assert "order" not in (sign_in(guest, "ben@shop.test").json["note"] or "")
    assert order_access(guest, order) == NOTHING
    assert order_access(old, order) == EVERYTHING


def test_account_with_another_address_gets_no_guest_orders(guest, database):
    order = buy_by_form(guest)
    stranger = browser(guest.application.test_client(), database)
    fields = {"email": "robin@example.org", "password": PASSWORD, "name": "Not Robin"}
    assert stranger.post("/register", data=fields).status_code == 303
    assert order_access(stranger, order) == NOTHING
    assert order_access(guest, order) == EVERYTHING


def test_registering_adopts_as_signing_in_does(guest):
    order = buy_by_form(guest)
    fields = {"email": "robin@example.org", "password": PASSWORD, "name": "Robin"}
    assert guest.post("/register", data=fields).status_code == 303
    assert order_access(guest, order) == EVERYTHING


@pytest.mark.parametrize("earlier_orders", [0, 1, 2])
def test_planted_cookie_cannot_read_later_orders(guest, account, earlier_orders):
    planter = guest
    his = [buy_by_form(planter, key=f"his-{n}", email="ben@shop.test") for n in range(earlier_orders)]
    victim = copy_cookie(planter, planter.application.test_client())
    hers = [buy_by_form(victim, key=f"hers-{n}") for n in range(2)]
    assert [victim.get(order).status_code for order in hers] == [200, 200]
    for _ in "12":  # nor after he has looked at a form of his own
        assert [order_access(planter, order) for order in hers] == [NOTHING, NOTHING]
        planter.fill()
        assert planter.get("/checkout").status_code == 200
    sign_in(victim, "robin@example.org")
    assert {order.rpartition("/")[2] for order in hers} == set(listed(victim))
    assert [victim.get(order).status_code for order in his] == [404] * earlier_orders


def test_orders_follow_the_guest_however_often_the_form_is_shown(guest):
    orders = []
    for number in range(4):
        orders.append(buy_by_form(guest, key=f"key-{number}"))
        guest.fill()
        for _ in range(3):
            guest.get("/checkout")
        assert [guest.get(order).status_code for order in orders] == [200] * len(orders)
    assert listed(guest) == [order.rpartition("/")[2] for order in orders[::-1]]
    assert len(guest.get_cookie("session").value) < 300


def test_two_forms_open_at_once_lose_nothing(guest):
    first = buy_by_form(guest)
    guest.fill()
    other_tab = copy_cookie(guest, guest.application.test_client())
    guest.get("/checkout")
    shown = lines(other_tab)  # asked with the same cookie; its answer is the later one
    copy_cookie(other_tab, guest)
    second = guest.post("/checkout", data={**FORM, **shown, "key": "another"}).location
    assert [guest.get(order).status_code for order in (first, second)] == [200, 200]


def test_orders_following_a_guest_are_locked_in_id_order(guest, database, runtime):
    for key in ("first", "second"):
        guest.fill()
        assert check_out(guest, key=key).status_code == 201
    first, second = ids(database)
    by_id = text("SELECT id FROM orders WHERE id = :id FOR UPDATE NOWAIT")
    with ThreadPoolExecutor(1) as pool, database.transaction() as log_in:
        log_in.execute(by_id, {"id": first})
        following = pool.submit(runtime.services().orders.change_guest_id, guest.owner.guest_cart_id, uuid.uuid4())
        until(lambda: waits_for_a_row(database))
        log_in.execute(by_id, {"id": second})
    following.result(20)


def ids(database):
    """Return the orders' ids; the latest comes first where the table is read as it lies."""
    with database.transaction() as session:
        found = session.scalars(text("SELECT id FROM orders ORDER BY id")).all()
        for one in reversed(found):
            session.execute(text("UPDATE orders SET email = email WHERE id = :id"), {"id": one})
    return found


def waits_for_a_row(database):
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype IN ('transactionid', 'tuple') AND NOT granted"
    with database.reading() as session:
        return session.scalar(text(waiting))
