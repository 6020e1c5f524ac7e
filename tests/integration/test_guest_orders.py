"""A guest's own orders: found by the id her cookie carries, from the moment they are placed."""

import re
import uuid

import pytest

from shop.cart.service import Carts, Owner
from shop.catalog import offers
from shop.checkout.details import CheckoutDetails
from tests.factories import make_category, make_product
from tests.integration.shoppers import DETAILS

FORM = {**DETAILS["address"], "email": DETAILS["email"], "token": "tok_ok"}
CARDS = ("tok_declined", "tok_error")


@pytest.fixture
def guest(client, database, simulator):
    """A guest's browser with a mug in the cart; ``guest.owner`` is what her cookie says of her."""
    with database.transaction() as session:
        make_product(session, make_category(session), "mug", on_hand=100)
    return browser(client, database)


def browser(client, database):
    client.owner = Owner(guest_cart_id=uuid.uuid4())
    client.fill = lambda: Carts(database, offers).add(client.owner, "mug", 1)
    client.fill()
    with client.session_transaction() as session:
        session["cart"] = str(client.owner.guest_cart_id)
    return client


def check_out(client, key="the-key", **more):
    return client.post("/api/v1/checkout", json={**DETAILS, **more}, headers={"Idempotency-Key": key})


def lines(client):
    """Return the field by which the form agrees to the lines it shows."""
    return {"lines": re.search(r'name="lines" value="(\w+)"', client.get("/checkout").text)[1]}


def listed(client):
    return [order["id"] for order in client.get("/api/v1/orders?limit=100").json["items"]]


def test_the_first_of_many_orders_is_still_there(guest):
    bought = []
    for number in range(22):
        guest.fill()
        bought.append(check_out(guest, key=f"key-{number}").json["order"]["id"])
    assert listed(guest) == bought[::-1]
    assert guest.get(f"/orders/{bought[0]}").status_code == 200


def test_an_order_whose_answer_got_lost_is_hers_all_the_same(guest, runtime):
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
