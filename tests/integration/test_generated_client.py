"""A client generated from the description by a tool of others, against the real store: it buys, replays and cancels."""

import importlib
import inspect
import json
import sys
import uuid
from types import SimpleNamespace

import httpx
import pytest
from openapi_python_client import Config, MetaType, generate
from openapi_python_client.config import ConfigFile

from tests.support.accounts import PASSWORD, make_account
from tests.support.factories import make_category, make_product
from tests.support.web_server import WebServer

PACKAGE = "generated_shop_client"
DESTINATION = {"name": "A. Customer", "line1": "Marktplatz 1", "city": "Berlin", "postcode": "10115", "country": "DE"}


@pytest.fixture(scope="module")
def server(settings, tmp_path_factory):
    """The store in processes of its own."""
    server = WebServer(settings, tmp_path_factory.mktemp("store"))
    server.wait()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def package(server, tmp_path_factory):
    """The name of the client's package, generated from what that store says of itself."""
    home = tmp_path_factory.mktemp("generated")
    (home / "openapi.json").write_bytes(httpx.get(f"{server.url}/api/openapi.json").content)
    errors = generate(
        config=Config.from_sources(
            ConfigFile(post_hooks=[]), MetaType.NONE, home / "openapi.json", "utf-8", False, home / PACKAGE
        )
    )
    assert not errors, [f"{error.header}: {error.detail}" for error in errors]
    sys.path.insert(0, str(home))
    yield PACKAGE
    sys.path.remove(str(home))


@pytest.fixture
def shop(package, server, database, cache_client, simulator):
    """That client's calls and models by name, an anonymous client of the store, and a mug to buy."""
    with database.transaction() as session:
        make_product(session, make_category(session), "blue-mug", on_hand=5, price_amount=1299)

    def call(tag, name):
        return importlib.import_module(f"{package}.api.{tag}.{name}").sync_detailed

    module = importlib.import_module(f"{package}.client")
    models = importlib.import_module(f"{package}.models")
    with module.Client(base_url=server.url) as client:
        yield SimpleNamespace(call=call, models=models, client=client, module=module, url=server.url)


def bought(shop, client):
    """Put two mugs into the cart and buy them; return the checkout's body, key and answer."""
    models = shop.models
    item = models.NewItem(product="blue-mug", quantity=2)
    added = shop.call("cart", "add_cart_item")(client=client, body=item, idempotency_key=str(uuid.uuid4()))
    assert added.parsed.total.amount == 2598
    body = models.CheckoutDetails.from_dict(
        {"email": "guest@example.org", "address": DESTINATION, "payment": {"token": "tok_ok"}}
    )
    key = str(uuid.uuid4())
    answer = shop.call("checkout", "checkout")(client=client, body=body, idempotency_key=key)
    assert answer.status_code == 201, answer.content
    return body, key, answer


def test_a_generated_client_buys_replays_and_cancels_as_a_guest(shop):
    body, key, first = bought(shop, shop.client)
    order = first.parsed.order
    assert order.status == shop.models.OrderStatus.PAID
    assert first.headers["location"] == f"/api/v1/orders/{order.id}"

    again = shop.call("checkout", "checkout")(client=shop.client, body=body, idempotency_key=key)
    assert (again.status_code, again.parsed.order.id) == (201, order.id)
    assert again.headers["idempotency-replayed"] == "true"

    cancelled = shop.call("checkout", "cancel_order")(id=order.id, client=shop.client)
    assert cancelled.parsed.status == shop.models.OrderStatus.REFUNDED
    refused = shop.call("checkout", "cancel_order")(id="nothing-like-it", client=shop.client)
    assert isinstance(refused.parsed, shop.models.ProblemDetails)
    assert refused.parsed.type_ == "/problems/not-found"


def test_a_generated_client_buys_with_a_token(shop, database):
    with database.transaction() as session:
        make_account(session, "customer@shop.test")
    given = shop.models.LoginCredentials(email="customer@shop.test", password=PASSWORD)
    token = shop.call("accounts", "issue_token")(client=shop.client, body=given).parsed.token
    with shop.module.AuthenticatedClient(base_url=shop.url, token=token) as client:
        _, _, answer = bought(shop, client)
        listed = shop.call("orders", "list_orders")(client=client)
    assert [order.id for order in listed.parsed.items] == [answer.parsed.order.id]


def test_only_account_calls_need_a_client_with_token(shop):
    def client_of(tag, name):
        return str(inspect.signature(shop.call(tag, name)).parameters["client"].annotation)

    for guest in (("checkout", "checkout"), ("cart", "add_cart_item"), ("catalogue", "list_products")):
        assert f"{PACKAGE}.client.Client" in client_of(*guest)
    assert client_of("orders", "list_orders") == f"<class '{PACKAGE}.client.AuthenticatedClient'>"


def test_a_checkout_needs_a_key_and_other_writes_take_one(shop):
    checkout = inspect.signature(shop.call("checkout", "checkout")).parameters["idempotency_key"]
    assert checkout.default is inspect.Parameter.empty
    other = inspect.signature(shop.call("cart", "add_cart_item")).parameters["idempotency_key"]
    assert other.default is not inspect.Parameter.empty
    for made_anew in (("accounts", "issue_token"), ("accounts", "start_session")):
        assert "idempotency_key" not in inspect.signature(shop.call(*made_anew)).parameters


def test_the_description_is_json(server):
    assert json.loads(httpx.get(f"{server.url}/api/openapi.json").content)["openapi"].startswith("3.1")
