import re

import pytest
from sqlalchemy import select, update

from shop.catalog.models import Product, StockItem
from shop.orders.models import Order
from tests.support.checkout_records import count_rows
from tests.support.factories import make_category, make_product
from tests.support.guest_carts import carry_cart, guest_with_cart

FIELDS = {
    "email": "robin@example.org",
    "name": "Robin Fields",
    "line1": "Lindenweg 4",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
    "token": "tok_ok",
}


@pytest.fixture
def shopper(client, database, simulator, product_on_shelf):
    """A guest with two mugs in the cart."""
    product_on_shelf("mug", on_hand=5, price_amount=1000)
    return carry_cart(client, guest_with_cart(database, {"mug": 2}))


def hidden(page):
    return dict(re.findall(r'<input type="hidden" name="(key|lines)" value="([^"]*)"', page.text))


def send(client, page, **fields):
    return client.post("/checkout", data={**FIELDS, **hidden(page), **fields})


def test_the_form_leads_to_the_order(shopper):
    answer = send(shopper, shopper.get("/checkout"))
    assert answer.status_code == 303
    page = shopper.get(answer.headers["Location"])
    assert "Thank you!" in page.text
    assert "Payment received" in page.text


def test_a_double_submit_or_the_back_button_gives_one_order(shopper, database):
    form = shopper.get("/checkout")
    first, second = send(shopper, form), send(shopper, form)
    assert first.headers["Location"] == second.headers["Location"]
    assert count_rows(database, Order) == 1


def test_each_rendered_form_has_a_new_key(shopper):
    assert hidden(shopper.get("/checkout"))["key"] != hidden(shopper.get("/checkout"))["key"]


def test_errors_stand_beside_their_fields_and_nothing_typed_is_lost(shopper, database):
    page = send(shopper, shopper.get("/checkout"), email="nobody", country="")
    assert page.status_code == 422
    assert 'id="error-email"' in page.text
    assert 'id="error-country"' in page.text
    assert 'value="Robin Fields"' in page.text
    assert count_rows(database, Order) == 0


def test_form_fields_come_back_escaped(shopper):
    page = send(shopper, shopper.get("/checkout"), email='"><script>alert(1)</script>')
    assert "<script>alert(1)" not in page.text


def test_after_a_decline_another_card_can_be_tried(shopper, database):
    declined = send(shopper, shopper.get("/checkout"), token="tok_declined")
    assert declined.status_code == 402
    assert "was declined" in declined.text
    assert send(shopper, declined).status_code == 303


def test_a_form_sent_before_with_other_answers_is_shown_again(shopper):
    form = shopper.get("/checkout")
    send(shopper, form, token="tok_declined")
    again = send(shopper, form)
    assert again.status_code == 422
    assert "had been sent before" in again.text
    assert send(shopper, again).status_code == 303


def test_changed_price_is_shown_before_payment(shopper, database):
    form = shopper.get("/checkout")
    with database.transaction() as session:
        session.execute(update(Product).values(price_amount=1100))
    again = send(shopper, form)
    assert again.status_code == 409
    assert "€22.00" in again.text
    assert count_rows(database, Order) == 0
    assert send(shopper, again).status_code == 303


@pytest.mark.parametrize("swap", ["product", "quantities"])
def test_form_buys_only_the_lines_it_showed(shopper, database, swap):
    form = shopper.get("/checkout")
    with database.transaction() as session:
        make_product(session, make_category(session, "bowls"), "bowl", on_hand=5, price_amount=1000)
    if swap == "product":
        shopper.post("/cart/items/mug", data={"action": "remove"})
    else:
        shopper.post("/cart/items/mug", data={"quantity": "1"})
    shopper.post("/cart/items", data={"product": "bowl", "quantity": "2" if swap == "product" else "1"})
    again = send(shopper, form)
    assert again.status_code == 409
    assert "Your cart or a price in it has changed" in again.text
    assert "€20.00" in again.text
    assert count_rows(database, Order) == 0
    assert hidden(again)["lines"] != hidden(form)["lines"]
    assert send(shopper, again).status_code == 303


def test_form_that_names_no_lines_buys_nothing(shopper, database):
    again = send(shopper, shopper.get("/checkout"), lines="")
    assert again.status_code == 409
    assert count_rows(database, Order) == 0


def test_cart_emptied_in_another_tab_leads_to_the_cart(shopper, database):
    form = shopper.get("/checkout")
    shopper.post("/cart/items/mug", data={"action": "remove"})
    assert send(shopper, form).headers["Location"] == "/cart"


def test_while_the_provider_is_away_the_form_keeps_its_key(shopper, simulator, database):
    form = shopper.get("/checkout")
    simulator.kill()
    away = send(shopper, form)
    assert away.status_code == 503
    assert away.headers["Retry-After"]
    assert hidden(away)["key"] == hidden(form)["key"]
    simulator.start()
    assert send(shopper, away).status_code == 303


def test_form_keeps_its_key_when_store_is_busy(shopper, database):
    form = shopper.get("/checkout")
    with database.transaction() as session:
        session.execute(select(StockItem).with_for_update())
        busy = send(shopper, form)
    assert busy.status_code == 503
    assert busy.headers["Retry-After"]
    assert hidden(busy)["key"] == hidden(form)["key"]
    assert send(shopper, busy).status_code == 303


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b"])
def test_a_form_without_a_usable_key_is_malformed(shopper, key):
    assert send(shopper, shopper.get("/checkout"), key=key).status_code == 400


def test_an_empty_cart_leads_back_to_the_cart(client):
    assert client.get("/checkout").headers["Location"] == "/cart"


def test_sold_out_product_redirects_to_cart(shopper, database):
    form = shopper.get("/checkout")
    with database.transaction() as session:
        session.execute(update(Product.metadata.tables["stock_items"]).values(on_hand=1))
    assert send(shopper, form).headers["Location"] == "/cart"


def test_cancelling_is_a_button_on_the_orders_page(shopper):
    order = send(shopper, shopper.get("/checkout")).headers["Location"]
    assert "Cancel this order" in shopper.get(order).text
    assert shopper.post(f"{order}/cancel").headers["Location"] == order
    page = shopper.get(order)
    assert "Refunded" in page.text
    assert "Cancel this order" not in page.text


def test_an_owed_refund_says_so_and_can_be_tried_again(shopper, simulator):
    order = send(shopper, shopper.get("/checkout")).headers["Location"]
    simulator.kill()
    assert shopper.post(f"/api/v1{order}/cancel").status_code == 202
    assert "Try the refund again" in shopper.get(order).text
    simulator.start()
    answer = shopper.post(f"/api/v1{order}/cancel")
    assert (answer.status_code, answer.json["status"]) == (200, "refunded")


def test_the_pages_are_nobody_elses(shopper):
    assert shopper.get("/checkout").headers["Cache-Control"] == "private, no-store"
    order = send(shopper, shopper.get("/checkout")).headers["Location"]
    assert shopper.application.test_client().get(order).status_code == 404
    assert shopper.application.test_client().post(f"{order}/cancel").status_code == 404
