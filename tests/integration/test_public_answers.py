"""Public answers: validators, 304s, and the short way past Flask."""

import gc
import tracemalloc

import pytest

from shop.app import create_app
from shop.patterns.caching import CATALOGUE, LIVE, PERSONAL, REFERENCE, SEARCH, CacheableResponse
from shop.web import fast_path
from shop.web.fast_path import CachedResponseFastPath
from shop.web.http_caching import cache_control
from tests.support.factories import make_category, make_product

SCREEN = "/api/v1/screens/product/blue-mug"
PUBLIC = [
    "/",
    "/departments",
    "/c/kitchen/categories",
    "/c/mugs",
    "/c/mugs?sort=price_asc",
    "/c/mugs?min_price=1",
    "/search?q=mug",
    "/p/blue-mug",
    "/p/blue-mug/reviews",
    "/api/v1/products?category=mugs",
    "/api/v1/products?q=mug",
    "/api/v1/products/blue-mug",
    "/api/v1/products/blue-mug/rating",
    "/api/v1/products/blue-mug/related",
    "/api/v1/products/blue-mug/reviews",
    "/api/v1/categories",
    "/api/v1/screens/home",
    SCREEN,
    "/pictures/mug/blue-mug.svg",
]
UNKEPT = ["/p/blue-mug/reviews", "/pictures/mug/blue-mug.svg"]
KEPT = [path for path in PUBLIC if "q=" not in path and "min_price" not in path and path not in UNKEPT]
OF_THIS_REQUEST = {"X-Request-ID", "traceparent", "Server-Timing", "Cache-Status"}


@pytest.fixture(autouse=True)
def mugs(database):
    with database.transaction() as session:
        make_category(session, "pans", make_category(session, "kitchen"))
        shelf = make_category(session, "mugs")
        make_product(session, shelf, "blue-mug")
        make_product(session, shelf, "red-mug")


@pytest.fixture
def reached(runtime):
    """What got as far as Flask."""
    return []


@pytest.fixture
def client(runtime, reached):
    app = create_app(runtime)
    app.before_request(lambda: reached.append(1))
    return app.test_client()


def set_switch(client, reached, name, value):
    assert client.put(f"/api/v1/switches/{name}", json={"value": value}).status_code == 200
    reached.clear()


def facts(answer):
    """Return what must be alike whichever way an answer took."""
    headers = sorted((name, value) for name, value in answer.headers if name not in OF_THIS_REQUEST)
    return answer.status_code, headers, answer.data


def price(client, slug):
    return client.get(f"/api/v1/products/{slug}").json["price"]["amount"]


def edit(runtime, slug, **change):
    from shop.catalog.editing import ProductChange

    runtime.services().catalog.edit(slug, ProductChange(**change))


@pytest.mark.parametrize("path", PUBLIC)
def test_every_public_response_carries_a_weak_validator(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["ETag"].startswith('W/"')
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", PUBLIC)
def test_current_validator_gets_304_without_a_body(client, path):
    known = client.get(path)
    again = client.get(path, headers={"If-None-Match": known.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == known.headers["ETag"]
    assert again.headers["Cache-Control"] == known.headers["Cache-Control"]
    assert "Content-Length" not in again.headers
    assert "Content-Type" not in again.headers


@pytest.mark.parametrize("local", ["on", "off"])
@pytest.mark.parametrize("path", KEPT)
def test_a_304_costs_no_query(client, reached, path, local):
    set_switch(client, reached, "cache.local", local)
    validator = client.get(path).headers["ETag"]
    again = client.get(path, headers={"If-None-Match": validator})
    assert again.status_code == 304
    assert 'desc="0 queries"' in again.headers["Server-Timing"]


def test_a_304_renders_nothing(client, reached, monkeypatch):
    set_switch(client, reached, "cache.local", "off")
    validator = client.get("/p/blue-mug").headers["ETag"]
    monkeypatch.setattr("shop.catalog.pages.render_template", lambda *_, **__: pytest.fail("rendered"))
    assert client.get("/p/blue-mug", headers={"If-None-Match": validator}).status_code == 304


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"other" , W/{}', '"other","more",{}', "*"])
@pytest.mark.parametrize("local", ["on", "off"])
def test_validators_are_compared_as_the_rfc_asks(client, reached, form, local):
    set_switch(client, reached, "cache.local", local)
    opaque = client.get(SCREEN).headers["ETag"].removeprefix("W/")
    assert client.get(SCREEN, headers={"If-None-Match": form.format(opaque)}).status_code == 304


@pytest.mark.parametrize("local", ["on", "off"])
def test_validators_on_several_lines_are_one_list(client, reached, local):
    set_switch(client, reached, "cache.local", local)
    lines = [("If-None-Match", '"other"'), ("If-None-Match", client.get(SCREEN).headers["ETag"])]
    assert client.get(SCREEN, headers=lines).status_code == 304


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/docs"])
def test_the_description_of_the_api_is_sent_once(client, path):
    with client.get(path) as answer:
        validator = answer.headers["ETag"]
        assert validator.startswith('W/"')
    with client.get(path, headers={"If-None-Match": validator}) as again:
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", validator)


@pytest.mark.parametrize("given", ['"other"', "nonsense", "", '"'])
@pytest.mark.parametrize("local", ["on", "off"])
def test_any_other_validator_is_sent_the_answer(client, reached, given, local):
    set_switch(client, reached, "cache.local", local)
    client.get(SCREEN)
    assert client.get(SCREEN, headers={"If-None-Match": given}).status_code == 200


def test_an_edit_changes_the_validator(client, runtime):
    before = client.get("/p/blue-mug")
    edit(runtime, "blue-mug", title="A bluer mug")
    after = client.get("/p/blue-mug", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.headers["ETag"] != before.headers["ETag"]
    assert "A bluer mug" in after.text


def test_two_processes_give_one_answer_one_validator(client, settings):
    from shop.wiring import build

    other = build(settings)
    try:
        found = create_app(other).test_client().get(SCREEN).headers["ETag"]
        assert client.get(SCREEN).headers["ETag"] == found
    finally:
        other.close()


def test_switched_off_browsers_keep_nothing(client, reached):
    set_switch(client, reached, "cache.browser", "off")
    for _ in range(2):  # the long way, then the short one
        answer = client.get(SCREEN, headers={"If-None-Match": "*"})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        assert "ETag" not in answer.headers


@pytest.mark.parametrize("path", KEPT)
def test_a_warm_answer_never_reaches_flask(client, reached, path):
    client.get(path)
    reached.clear()
    answer = client.get(path)
    assert answer.status_code == 200
    assert "shop-local; hit" in answer.headers["Cache-Status"]
    assert not reached


def test_a_warm_answer_from_valkey_never_reaches_flask_either(client, reached):
    set_switch(client, reached, "cache.local", "off")
    cold = client.get("/p/blue-mug")
    reached.clear()
    answer = client.get("/p/blue-mug")
    assert "shop-shared; hit" in answer.headers["Cache-Status"]
    assert facts(answer) == facts(cold)
    assert not reached


@pytest.mark.parametrize("path", KEPT)
def test_each_layer_speaks_once_and_of_the_answer_itself(client, path):
    for outcome in ("fwd=miss", "hit"):
        entries = client.get(path).headers["Cache-Status"].split(", ")
        layers = [entry.partition(";")[0] for entry in entries]
        assert layers == (["shop-shared", "shop-local"] if outcome == "fwd=miss" else ["shop-local"])
        assert all(outcome in entry for entry in entries)


@pytest.mark.parametrize("path", ["/search?q=mug", "/c/mugs?min_price=1", "/p/blue-mug/reviews"])
def test_of_an_answer_that_is_not_kept_no_layer_speaks(client, path):
    client.get(path)
    assert "Cache-Status" not in client.get(path).headers


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("path", PUBLIC)
def test_both_ways_answer_alike(client, reached, path, method):
    ask = getattr(client, method)
    client.get(path)
    short = facts(ask(path))
    set_switch(client, reached, "cache.local", "off")
    assert facts(ask(path)) == short
    assert reached


def test_the_short_way_is_counted_and_logged_under_its_route(client, runtime):
    import json

    client.get(SCREEN)
    client.get(SCREEN, headers={"X-Request-ID": "the-second-one"})
    lines = map(json.loads, runtime.access_lines.path.read_text().splitlines())
    line = next(line for line in lines if line.get("request_id") == "the-second-one")
    assert (line["route"], line["path"]) == ("/api/v1/screens/product/<string:slug>", SCREEN)


def test_a_query_is_part_of_the_address(client):
    plain = client.get("/c/mugs")
    client.get("/c/mugs")
    assert client.get("/c/mugs?sort=price_asc").data != plain.data


def test_other_methods_take_the_long_way(client):
    client.get(SCREEN)
    client.get(SCREEN)
    assert client.post(SCREEN, json={}).status_code == 405
    assert client.options(SCREEN).status_code == 200


def test_next_request_on_the_fast_path_sees_an_edit(client, runtime):
    assert [price(client, "blue-mug") for _ in range(3)][-1] != 4_242
    edit(runtime, "blue-mug", price=4_242)
    assert price(client, "blue-mug") == 4_242


def test_a_flip_ends_what_the_short_way_knew(client, reached):
    whole = [client.get("/p/blue-mug").data for _ in range(2)][1]
    set_switch(client, reached, "api.composite", "off")
    assert client.get("/p/blue-mug").data != whole


def test_fast_path_bounds_its_urls_by_bytes(client, runtime):
    """A thousand short URLs, then ten thousand long ones that a client makes up, then one that is too long."""
    services = runtime.services()
    fast = CachedResponseFastPath(services.cache, services.browser, services.edge, services.prefetch)

    def learn(number, query):
        environ = {"PATH_INFO": f"/p/{number}", "QUERY_STRING": query}
        cacheable = CacheableResponse(b"x", CATALOGUE, ("catalogue", f"product:{number}"), f"page:{number}")
        fast.learn(environ, "/p/<slug>", cacheable, "text/html")

    gc.collect()
    tracemalloc.start()
    try:
        for number in range(1_000):
            learn(number, "")
        for number in range(10_000):
            learn(number, f"{number}".rjust(1_900, "a"))
        learn("long", "a" * fast_path.MAX_URL_BYTES)
        traced, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert traced < 1.2 * fast_path.MAX_BYTES
    assert len(fast) > 1_000
    assert ("/p/9999", "9999".rjust(1_900, "a")) in fast
    assert ("/p/long", "a" * fast_path.MAX_URL_BYTES) not in fast


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (CATALOGUE, "no-cache"),
        (SEARCH, "no-cache"),
        (REFERENCE, "public, max-age=300"),
        (PERSONAL, "private, no-cache"),
        (LIVE, "no-store"),
    ],
)
def test_each_class_tells_browsers_how_long(policy, says):
    assert cache_control(policy) == says
