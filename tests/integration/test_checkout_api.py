import uuid

import pytest
from sqlalchemy import func, select

from shop.cart.service import Carts, Owner
from shop.catalog import offers
from shop.catalog.models import StockItem
from shop.orders.models import Order
from shop.payments.models import Payment
from tests.factories import make_category, make_product

ADDRESS = {"name": "Robin Fields", "line1": "Lindenweg 4", "city": "Berlin", "postcode": "10115", "country": "DE"}


def details(token="tok_ok", **more):
    return {"email": "robin@example.org", "address": ADDRESS, "payment": {"token": token}, **more}


@pytest.fixture
def shelf(database):
    """Two products; returns slug to pieces."""
    with database.transaction() as session:
        category = make_category(session)
        make_product(session, category, "blue-mug", on_hand=5, price_amount=1000)
        make_product(session, category, "red-mug", on_hand=3, price_amount=250)


@pytest.fixture
def shopper(client, shelf, simulator, database):
    """A guest with two blue mugs and a red one in the cart."""
    carts = Carts(database, offers)
    owner = Owner(guest_cart_id=uuid.uuid4())
    carts.add(owner, "blue-mug", 2)
    carts.add(owner, "red-mug", 1)
    with client.session_transaction() as session:
        session["cart"] = str(owner.guest_cart_id)
    client.cart = lambda: carts.view(owner)
    client.fill = lambda slug="blue-mug", count=1: carts.add(owner, slug, count)
    return client


def buy(client, key="a-key", token="tok_ok", **more):
    return client.post("/api/v1/checkout", json=details(token, **more), headers={"Idempotency-Key": key})


def stock(database):
    with database.reading() as session:
        rows = session.execute(select(StockItem.on_hand, StockItem.reserved).order_by(StockItem.product_id))
        return [tuple(row) for row in rows]


def count(database, model):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model))


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


def test_a_guest_sees_the_order_she_placed(shopper, client):
    location = buy(shopper).headers["Location"]
    assert shopper.get(location).json["status"] == "paid"
    stranger = shopper.application.test_client()
    assert stranger.get(location).status_code == 404


def test_a_replayed_checkout_answers_the_first_order(shopper, database):
    first, second = buy(shopper), buy(shopper)
    assert second.status_code == 201
    assert second.json == first.json
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert count(database, Order) == 1
