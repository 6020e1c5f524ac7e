"""Uncached lists: the limit of concurrent ones, and their time to live at the edge."""

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
    """Fills the bulkhead of the process."""
    with ExitStack() as admitted:
        for _ in range(runtime.settings.threads // 2 + runtime.settings.threads // 4):
            admitted.enter_context(runtime.list_bulkhead.admissions)
        yield


@pytest.mark.usefixtures("mug_on_shelf", "no_turns")
@pytest.mark.parametrize("path", TYPED)
def test_list_beyond_the_bulkhead_is_refused_with_retry_after(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Retry-After"], BUSY in answer.text) == (503, "1", True)


@pytest.mark.usefixtures("mug_on_shelf", "no_turns")
@pytest.mark.parametrize("path", ["/c/mugs", "/p/mug", "/api/v1/products?category=mugs&min_price=0", "/api/v1/cart"])
def test_other_pages_are_served_while_the_bulkhead_is_full(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.usefixtures("mug_on_shelf")
def test_bulkhead_admits_again_after_a_refusal(client):
    for _ in range(20):
        assert client.get("/api/v1/products?category=nothing&min_price=5").status_code == 404
    assert all(client.get(path).status_code == 200 for path in TYPED)


@pytest.mark.usefixtures("mug_on_shelf")
def test_price_filters_met_by_every_product_use_cached_list(client):
    client.get("/api/v1/products?category=mugs")
    answer = client.get("/api/v1/products?category=mugs&min_price=0&max_price=100000000")
    assert "hit" in answer.headers["Cache-Status"]
