"""What the lab's pages offer a newcomer: the way to the lab, accounts, an address, and what a test card does."""

import re

import pytest

from shop.demo_accounts import ADMIN, DEMO_PASSWORD, SHOPPER
from tests.integration.test_checkout_pages import hidden
from tests.support.accounts import make_account, sign_in
from tests.support.factories import make_category, make_product
from tests.support.guest_carts import carry_cart, guest_with_cart


@pytest.fixture
def shopper(client, database, simulator, product_on_shelf):
    product_on_shelf("mug", on_hand=5, price_amount=1000)
    return carry_cart(client, guest_with_cart(database, {"mug": 2}))


def test_every_page_leads_to_the_lab(client):
    assert re.search(r'<header.*href="/lab".*</header>', client.get("/login").text, re.DOTALL)


def test_log_in_offers_the_demo_accounts(client):
    page = client.get("/login?next=/orders").text
    for account in (SHOPPER, ADMIN):
        fields = {"next": "/orders", "email": account.email, "password": DEMO_PASSWORD}
        inputs = [f'<input type="hidden" name="{name}" value="{value}">' for name, value in fields.items()]
        assert re.search(r"\s*".join(re.escape(one) for one in inputs), page), account.email


def test_demo_admin_is_led_to_the_administration(client):
    page = client.get("/login").text
    before = {
        account: page.partition(f'value="{account.email}"')[0].rpartition("<form")[2] for account in (SHOPPER, ADMIN)
    }
    assert 'name="next" value="/admin"' in before[ADMIN]
    assert 'name="next"' not in before[SHOPPER]


def test_test_address_fills_the_checkout(shopper):
    assert "/checkout?address=test" in shopper.get("/checkout").text
    page = shopper.get("/checkout?address=test")
    fields = dict(re.findall(r'name="(email|name|line1|postcode|city)"[^>]* value="([^"]+)"', page.text))
    sent = {**fields, **hidden(page), "country": "DE", "token": "tok_ok"}
    assert 'value="DE" selected' in page.text
    answer = shopper.post("/checkout", data=sent)
    assert answer.status_code == 303
    assert "What this test card did" not in shopper.get(answer.headers["Location"]).text


def test_order_tells_what_a_lost_answer_came_to(shopper):
    page = shopper.get("/checkout?address=test")
    fields = dict(re.findall(r'name="(email|name|line1|postcode|city)"[^>]* value="([^"]+)"', page.text))
    sent = {**fields, **hidden(page), "country": "DE", "token": "tok_timeout_charged"}
    answer = shopper.post("/checkout", data=sent)
    assert answer.status_code == 303
    order = shopper.get(answer.headers["Location"]).text
    assert "What this test card did" in order
    assert "Payment received" in order


def test_administration_begins_with_what_must_be_done(client, database, simulator):
    with database.transaction() as session:
        make_product(session, make_category(session), "rare-mug", on_hand=1)
        make_account(session, "boss@example.org", role="admin")
    sign_in(client, "boss@example.org")
    page = " ".join(re.sub(r"<[^>]+>", " ", client.get("/admin").text).split())
    assert "Today (UTC) 0" in page
    assert "Rare Mug 1 left" in page
    assert "Waiting in the outbox 0" in page
