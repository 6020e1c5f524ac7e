"""Lists that miss every cache: how many at once, and for how long the edge keeps them."""

from contextlib import ExitStack

import pytest

from shop.catalog.listing.list_bulkhead import BUSY
from tests.support.factories import make_category, make_product

TYPED = ["/api/v1/products?min_price=1234", "/api/v1/products?q=mug", "/c/mugs?max_price=77", "/search?q=mug"]


@pytest.fixture
def mug_on_shelf(database):
    with database.transaction() as session:
        make_product(session, make_category(session, "mugs"), "mug")


@pytest.fixture
def no_turns(runtime):
    """Every place of the process is taken, as by a client that makes prices up."""
    with ExitStack() as held:
        for _ in range(runtime.settings.threads // 2 + runtime.settings.threads // 4):
            held.enter_context(runtime.list_bulkhead.admissions)
        yield


@pytest.mark.usefixtures("mug_on_shelf", "no_turns")
@pytest.mark.parametrize("path", TYPED)
def test_a_list_that_finds_no_place_is_refused_and_says_when_to_come_back(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Retry-After"], BUSY in answer.text) == (503, "1", True)


@pytest.mark.usefixtures("mug_on_shelf", "no_turns")
@pytest.mark.parametrize("path", ["/c/mugs", "/p/mug", "/api/v1/products?category=mugs&min_price=0", "/api/v1/cart"])
def test_everything_else_is_served_meanwhile(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.usefixtures("mug_on_shelf")
def test_places_are_given_back_also_after_a_refusal(client):
    for _ in range(20):
        assert client.get("/api/v1/products?category=nothing&min_price=5").status_code == 404
    assert all(client.get(path).status_code == 200 for path in TYPED)


@pytest.mark.usefixtures("mug_on_shelf")
def test_prices_that_every_product_meets_are_the_whole_category(client):
    client.get("/api/v1/products?category=mugs")
    answer = client.get("/api/v1/products?category=mugs&min_price=0&max_price=100000000")
    assert "hit" in answer.headers["Cache-Status"]
