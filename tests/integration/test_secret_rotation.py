"""The secret key is changed while people shop: what was signed or fingerprinted under the old one goes on."""

from contextlib import contextmanager

import pytest

from shop.app import create_app
from shop.wiring import build
from tests.support.factories import make_category, make_product

OLD, NEW = "the-key-of-last-year", "the-key-of-this-year"
ITEM = {"product": "mug", "quantity": 1}


@pytest.fixture
def product(database):
    with database.transaction() as session:
        make_product(session, make_category(session), "mug")


@contextmanager
def store(settings, *keys):
    """A store whose secret keys are these."""
    runtime = build(settings.model_copy(update={"secret_key": " ".join(keys)}))
    try:
        yield create_app(runtime)
    finally:
        runtime.close()


def send(app, cookie, key, quantity=1):
    client = app.test_client(use_cookies=False)
    body = {**ITEM, "quantity": quantity}
    return client.post("/api/v1/cart/items", json=body, headers={"Cookie": cookie, "Idempotency-Key": key})


def pieces(app, cookie):
    items = app.test_client(use_cookies=False).get("/api/v1/cart", headers={"Cookie": cookie}).json["items"]
    return sum(item["quantity"] for item in items)


def given(answer):
    return answer.headers["Set-Cookie"].partition(";")[0]


@pytest.fixture
def bought(settings, product):
    """A guest's cookie of before the change, and an answer that was kept under a key then."""
    with store(settings, OLD) as app:
        cookie = given(app.test_client().post("/api/v1/cart/items", json=ITEM))
        assert send(app, cookie, "before").status_code == 200
    return cookie


def test_cookies_and_replays_of_before_the_change_go_on(settings, bought):
    with store(settings, NEW, OLD) as app:
        again = send(app, bought, "before")
        assert again.headers["Idempotency-Replayed"] == "true"
        assert pieces(app, bought) == 2


def test_different_request_under_old_idempotency_key_is_refused(settings, bought):
    with store(settings, NEW, OLD) as app:
        assert send(app, bought, "before", quantity=3).status_code == 422


def test_cookies_signed_after_rotation_need_only_new_secret(settings, bought):
    with store(settings, NEW, OLD) as app:
        cookie = given(app.test_client().post("/api/v1/cart/items", json=ITEM))
    with store(settings, NEW) as app:
        assert pieces(app, cookie) == 1
        assert pieces(app, bought) == 0
