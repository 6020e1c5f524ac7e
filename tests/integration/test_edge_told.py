"""The caching headers for the edge, and the keys that are registered under each tag."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from shop.app import create_app
from shop.catalog.editing import ProductChange
from shop.catalog.pictures.drawing import picture_url
from shop.patterns.caching import CATALOGUE, LIVE, SEARCH
from shop.patterns.edge import SurrogateKeyIndex
from shop.patterns.observability import request_record
from shop.stack.program import free_port
from shop.web.edge_headers import EdgeCacheable
from shop.wiring import build
from tests.support.factories import make_category, make_product


def edge_requests(client):
    """Return a function that requests a public page like the edge."""

    def ask(path="/p/blue-mug", **headers):
        return client.get(path, headers={"X-Edge-Key": path, **headers}, environ_base={"REMOTE_ADDR": "10.1.2.3"})

    return ask


@pytest.fixture
def told(client, database):
    with database.transaction() as session:
        make_product(session, make_category(session, "mugs"), "blue-mug")
    return edge_requests(client)


@pytest.fixture
def runtime(settings, database, cache_client):
    runtime = build(settings.model_copy(update={"trusted_proxies": "10.0.0.0/8"}))
    runtime.start()
    yield runtime
    runtime.close()


def lifetime(answer):
    return answer.headers.get("X-Accel-Expires")


def test_each_class_has_its_lifetime_and_its_key_is_registered(told, runtime):
    assert [lifetime(told()), lifetime(told())] == ["300", "300"]  # through Flask, and the short way
    assert lifetime(told("/api/v1/categories")) == "21600"
    assert lifetime(told("/search?q=mug")) == "30"
    assert runtime.edge_registry.keys(["product:blue-mug"]) == {"/p/blue-mug"}
    assert runtime.edge_registry.keys(["categories"]) == {"/p/blue-mug", "/api/v1/categories", "/search?q=mug"}


@pytest.mark.parametrize(("prices", "seconds"), [("min_price=1000&max_price=2499", "300"), ("min_price=1234", "30")])
def test_made_up_prices_are_kept_as_briefly_as_typed_words(told, runtime, prices, seconds):
    path = f"/api/v1/products?{prices}"
    assert lifetime(told(path)) == seconds
    assert runtime.edge_registry.keys(["home"]) == {path}


def test_an_unknown_proxy_gets_no_edge_headers(told, client, runtime):
    answer = client.get("/p/blue-mug", headers={"X-Edge-Key": "/forged"})
    assert lifetime(answer) is None
    assert runtime.edge_registry.keys(["product:blue-mug"]) == set()


@pytest.mark.parametrize(
    "path", ["/p/no-such-mug", "/cart", "/api/v1/products/blue-mug/stock", "/api/v1/products?limit=0"]
)
def test_an_error_or_a_private_answer_carries_no_lifetime(told, path):
    assert lifetime(told(path)) is None


def test_the_edge_gets_full_bodies_despite_conditional_requests(told):
    validator = told().headers["ETag"]
    for _ in range(2):  # through Flask or the short way
        assert told(**{"If-None-Match": validator}).status_code == 200


def bounds(answer):
    """Return for how long the edge may serve it while it asks for a newer one, and if that fails."""
    own = answer.headers.get_all("Cache-Control")[-1]
    return own if own.startswith("stale") else None


@pytest.mark.parametrize(
    ("path", "seconds"), [("/p/blue-mug", (60, 600)), ("/api/v1/categories", (600, 600)), ("/search?q=mug", (30, 600))]
)
def test_the_edge_gets_both_stale_bounds_of_the_class(told, path, seconds):
    for _ in range(2):  # through Flask, and the short way
        assert bounds(told(path)) == "stale-while-revalidate={}, stale-if-error={}".format(*seconds)


def test_browsers_without_an_edge_are_told_neither(client, told):
    assert client.get("/p/blue-mug").headers.get_all("Cache-Control") == ["no-cache"]


def test_a_failure_sends_the_edge_to_what_it_holds(told, database):
    with database.transaction() as session:
        session.execute(text("ALTER TABLE products RENAME TO away"))
    try:
        answers = [told(**headers) for headers in ({}, {"X-Edge-Holds": "1"})]
    finally:
        with database.transaction() as session:
            session.execute(text("ALTER TABLE away RENAME TO products"))
    assert [answer.status_code for answer in answers] == [500, 500]
    assert [answer.headers.get("X-Accel-Redirect") for answer in answers] == [None, "@last_good"]
    assert "X-Accel-Redirect" not in told("/p/no-such-mug", **{"X-Edge-Holds": "1"}).headers


@pytest.mark.usefixtures("told")
def test_answers_without_registered_key_are_cached_for_seconds(runtime):
    unreachable = SurrogateKeyIndex(f"redis://127.0.0.1:{free_port()}/0", 100, runtime.clock)
    ask = edge_requests(create_app(replace(runtime, edge_registry=unreachable)).test_client())
    assert (lifetime(ask()), bounds(ask())) == ("3", None)  # the edge never serves it afterwards
    assert lifetime(ask("/search?q=mug")) == "3"
    assert lifetime(ask(picture_url("mug", "blue-mug"))) == "21600"  # it has no tag, so no purge would end it
    unreachable.close()


def test_the_time_of_the_edges_request_is_returned(told):
    for _ in range(2):  # through Flask, and the short way
        assert told(**{"X-Edge-Asked": "1790000000.123"}).headers["X-Edge-Asked"] == "1790000000.123"


@pytest.mark.parametrize(
    "path", ["/", "/p/blue-mug", "/c/mugs", "/search?q=mug", "/api/v1/products", "/api/v1/categories"]
)
def test_cacheable_answers_depend_only_on_their_key(told, path):
    for headers in ({}, {"Accept-Encoding": "gzip", "Cookie": "session=hers", "Accept-Language": "de"}):
        answer = told(path, **headers)
        assert int(lifetime(answer)) > 0
        assert not {"Vary", "Set-Cookie", "Content-Encoding"} & set(answer.headers.keys())


def test_lifetimes_at_the_edge_are_hurried_with_all_others(runtime):
    request_record.begin()
    hurried = EdgeCacheable(None, runtime.clock, ttl_scale=0.1)
    assert hurried.headers({"HTTP_X_EDGE_KEY": "/"}, SEARCH, ())[0] == ("X-Accel-Expires", "3")
    made, until = (int(value) for _, value in hurried.headers({"HTTP_X_EDGE_KEY": "/"}, SEARCH, ())[1:3])
    assert until - made == 3


def test_a_stale_answer_is_cached_for_seconds(runtime):
    publishing = runtime.services().edge.headers
    request_record.begin()
    request_record.mark_degraded("fresh-data")
    assert publishing({"HTTP_X_EDGE_KEY": "/"}, CATALOGUE, ("home",))[0] == ("X-Accel-Expires", "3")
    assert runtime.edge_registry.keys(["home"]) == {"/"}  # for those seconds a purge must find it, too
    assert publishing({"HTTP_X_EDGE_KEY": "/"}, LIVE, ())[0] == ("X-Accel-Expires", "0")
    request_record.begin()
    assert publishing({"HTTP_X_EDGE_KEY": "/"}, CATALOGUE, ("home",))[0] == ("X-Accel-Expires", "300")


def test_redirects_and_404s_replace_the_cached_page(told, runtime):
    catalog, paths = runtime.services().catalog, ("/p/{}", "/api/v1/products/{}", "/p/{}/reviews")
    assert lifetime(told("/p/blue-mug")) == "300"
    catalog.edit("blue-mug", ProductChange(slug="red-mug"))
    assert [lifetime(told(path.format("blue-mug"))) for path in paths] == ["300"] * 3
    catalog.edit("red-mug", ProductChange(withdrawn=True))
    assert [lifetime(told(path.format("red-mug"))) for path in paths] == ["10"] * 3
    assert "/p/red-mug" in runtime.edge_registry.keys(["product:red-mug"])
    assert lifetime(told("/p/never-there")) is None


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("/p/gone", "product:gone"),
        ("/p/gone/reviews", "product:gone"),
        ("/api/v1/products/gone", "product:gone"),
        ("/api/v1/products/gone/related", "product:gone"),
        ("/api/v1/screens/product/gone", "product:gone"),
        ("/c/gone", "category:gone"),
        ("/c/gone?min_rating=4", "category:gone"),
        ("/api/v1/products?category=gone", "category:gone"),
    ],
)
def test_a_404_replaces_the_cached_page_until_a_change(told, runtime, path, tag):
    assert lifetime(told(path)) is None  # made-up names are endless
    answer = told(path, **{"X-Edge-Holds": "1"})
    assert (answer.status_code, lifetime(answer), answer.headers["Cache-Control"]) == (404, "10", "no-store")
    assert all(path in runtime.edge_registry.keys([ended]) for ended in (tag, "categories", "catalogue"))
