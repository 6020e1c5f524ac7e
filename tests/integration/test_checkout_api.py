import uuid

import pytest
from sqlalchemy import select

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.catalog.models import StockItem
from shop.orders.models import Order
from shop.payments.models import Payment
from tests.support.checkout_records import count_rows
from tests.support.guest_carts import carry_cart, guest_with_cart

ADDRESS = {"name": "Robin Fields", "line1": "Lindenweg 4", "city": "Berlin", "postcode": "10115", "country": "DE"}


def details(token="tok_ok", **more):
    return {"email": "robin@example.org", "address": ADDRESS, "payment": {"token": token}, **more}


@pytest.fixture
def blue_and_red_mugs(product_on_shelf):
    """Five blue mugs at 10.00 and three red ones at 2.50."""
    product_on_shelf("blue-mug", on_hand=5, price_amount=1000)
    product_on_shelf("red-mug", on_hand=3, price_amount=250)


@pytest.fixture
def shopper(client, blue_and_red_mugs, simulator, database):
    """A guest with two blue mugs and a red one in the cart."""
    carts, owner = CartService(database, offers), guest_with_cart(database, {"blue-mug": 2, "red-mug": 1})
    client.cart = lambda: carts.view(owner)
    client.fill = lambda slug="blue-mug", count=1: carts.add(owner, slug, count)
    return carry_cart(client, owner)


def buy(client, key="a-key", token="tok_ok", **more):
    return client.post("/api/v1/checkout", json=details(token, **more), headers={"Idempotency-Key": key})


def stock(database):
    with database.reading() as session:
        rows = session.execute(select(StockItem.on_hand, StockItem.reserved).order_by(StockItem.product_id))
        return [tuple(row) for row in rows]


def payment_statuses(database):
    with database.reading() as session:
        return session.scalars(select(Payment.status).order_by(Payment.id)).all()


def test_a_checkout_ends_in_a_paid_order(shopper, database):
    answer = buy(shopper)
    order = answer.json["order"]
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/orders/{order['id']}"
    assert (order["status"], order["total"]) == ("paid", {"amount": 2250, "currency": "EUR"})
    assert [(line["product"], line["quantity"]) for line in order["lines"]] == [("blue-mug", 2), ("red-mug", 1)]
    assert [event["type"] for event in order["events"]] == ["OrderPlaced", "PaymentCharged"]
    assert stock(database) == [(3, 0), (2, 0)]
    assert payment_statuses(database) == ["charged"]
    assert shopper.cart().count == 0


def test_guest_sees_placed_order_as_in_checkout_response(shopper, client):
    answer = buy(shopper)
    location = answer.headers["Location"]
    assert shopper.get(location).json == answer.json["order"]
    stranger = shopper.application.test_client()
    assert stranger.get(location).status_code == 404


def test_a_replayed_checkout_answers_the_first_order(shopper, database):
    first, second = buy(shopper), buy(shopper)
    assert second.status_code == 201
    assert second.json == first.json
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert count_rows(database, Order) == 1


def test_the_same_key_with_another_payload_is_refused(shopper, database):
    buy(shopper)
    answer = buy(shopper, email="other@example.org")
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json["errors"]
    assert count_rows(database, Order) == 1


def test_two_shoppers_keys_never_meet(shopper, database):
    first = buy(shopper, key="same")
    other = shopper.application.test_client()
    carts, owner = CartService(database, offers), CartOwner(guest_cart_id=uuid.uuid4())
    carts.add(owner, "red-mug", 1)
    with other.session_transaction() as session:
        session["cart"] = str(owner.guest_cart_id)
    second = buy(other, key="same")
    assert second.status_code == 201
    assert second.json["order"]["id"] != first.json["order"]["id"]


@pytest.mark.parametrize("key", [None, "", "x" * 256])
def test_a_checkout_without_a_usable_key_is_malformed(shopper, database, key):
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = shopper.post("/api/v1/checkout", json=details(), headers=headers)
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert count_rows(database, Order) == 0


def test_an_empty_cart_is_invalid(client, blue_and_red_mugs, simulator):
    assert buy(client).status_code == 422


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "a@b,de.com"),
        ("address", {**ADDRESS, "country": "XX"}),
        ("address", {**ADDRESS, "name": " "}),
    ],
)
def test_wrong_fields_are_named_and_change_nothing(shopper, database, field, value):
    answer = buy(shopper, **{field: value})
    assert answer.status_code == 422
    assert any(name.startswith(field) for name in answer.json["errors"])
    assert stock(database) == [(5, 0), (3, 0)]


def test_an_order_keeps_the_address_in_the_spelling_of_accounts(shopper, database):
    assert buy(shopper, email="Robin@Example.org").status_code == 201
    with database.reading() as session:
        assert session.scalars(select(Order.email)).one() == "robin@example.org"


def test_a_declined_card_leaves_cart_and_stock_as_they_were(shopper, database):
    answer = buy(shopper, token="tok_declined")
    assert answer.status_code == 402
    assert answer.json["type"] == "/problems/payment-declined"
    assert stock(database) == [(5, 0), (3, 0)]
    assert payment_statuses(database) == ["declined"]
    assert shopper.cart().count == 3


def test_a_replayed_decline_says_so_again(shopper, database):
    buy(shopper, token="tok_declined")
    again = buy(shopper, token="tok_declined")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (402, "true")
    assert count_rows(database, Order) == 1


def test_out_of_stock_names_failing_lines_and_available_quantities(shopper, database):
    shopper.fill("blue-mug", 9)
    shopper.fill("red-mug", 8)
    answer = buy(shopper)
    assert answer.status_code == 409
    assert answer.json["errors"] == {"blue-mug": "5 left", "red-mug": "3 left"}
    assert count_rows(database, Order) == 0
    assert stock(database) == [(5, 0), (3, 0)]


def test_provider_error_undoes_checkout_and_frees_key(shopper, database):
    answer = buy(shopper, token="tok_error")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert stock(database) == [(5, 0), (3, 0)]
    assert payment_statuses(database) == ["abandoned"]
    assert buy(shopper, token="tok_ok").status_code == 201


def test_provider_outage_undoes_checkout(shopper, database, simulator):
    simulator.kill()
    answer = buy(shopper)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert stock(database) == [(5, 0), (3, 0)]
    assert shopper.cart().count == 3
    simulator.start()
    assert buy(shopper).status_code == 201
    assert payment_statuses(database) == ["abandoned", "charged"]


def test_the_provider_sees_who_asked(shopper, simulator):
    shopper.post(
        "/api/v1/checkout",
        json=details(),
        headers={"Idempotency-Key": "k", "X-Request-ID": "asked-by-this-test"},
    )
    assert "asked-by-this-test" in simulator.log()


def test_line_added_in_another_tab_stays_in_cart(shopper, runtime, monkeypatch):
    checkout = runtime.services().checkout
    monkeypatch.setattr(
        checkout, "on_recovery_point", lambda point: point == "answered" and shopper.fill("blue-mug", 1)
    )
    buy(shopper)
    assert [(line.slug, line.quantity) for line in shopper.cart().lines] == [("blue-mug", 1)]


def test_checkout_at_the_expected_total_is_bought(shopper):
    assert buy(shopper, expected_total={"amount": 2250, "currency": "EUR"}).status_code == 201


@pytest.mark.parametrize("wrong", [{"amount": 2249}, {"amount": 2250, "currency": "USD"}])
def test_another_expected_total_is_a_conflict_that_carries_the_cart(shopper, database, wrong):
    answer = buy(shopper, expected_total=wrong)
    assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
    assert answer.json["type"] == "/problems/cart-changed"
    assert answer.json["cart"] == shopper.get("/api/v1/cart").json
    assert answer.json["cart"]["total"] == {"amount": 2250, "currency": "EUR"}
    assert count_rows(database, Order) == 0
    assert buy(shopper, expected_total=answer.json["cart"]["total"]).status_code == 201  # the key was not used up


def test_expected_total_is_part_of_key_fingerprint(shopper):
    buy(shopper)
    assert buy(shopper, expected_total={"amount": 2250}).status_code == 422


def test_openapi_describes_the_header_and_every_refusal(client):
    described = client.get("/api/openapi.json").json["paths"]["/api/v1/checkout"]["post"]
    assert {"201", "400", "402", "409", "422", "503"} <= set(described["responses"])
    refusal = described["responses"]["409"]["content"]["application/problem+json"]["schema"]
    assert refusal == {"$ref": "#/components/schemas/CheckoutProblem"}
    assert "Idempotency-Key" in [parameter["name"] for parameter in described["parameters"]]
