"""Prefetch: which pages name rules, what the rules allow, and what a prefetched page leaves behind."""

import json
import re

import pytest
from sqlalchemy import event

from shop.app import create_app
from shop.web.assets import IMMUTABLE
from shop.web.prefetch import RULES_HEADER
from tests.support.factories import make_category, make_product

PAGES = ["/", "/c/mugs", "/c/mugs?min_price=1", "/search?q=mug", "/p/blue-mug", "/p/blue-mug/reviews", "/departments"]
OTHERS = [
    *("/cart", "/login", "/register", "/lab", "/orders", "/checkout", "/admin", "/nowhere", "/p/nowhere"),
    *("/api/v1/products", "/api/v1/screens/product/blue-mug", "/robots.txt", "/pictures/mug/blue-mug.svg"),
]
PREFETCH = {"Sec-Purpose": "prefetch"}
OF_ONE_REQUEST = {"X-Request-ID", "traceparent", "Server-Timing", "Cache-Status"}


@pytest.fixture(autouse=True)
def mugs(database):
    with database.transaction() as session:
        make_product(session, make_category(session, "mugs"), "blue-mug")


def set_prefetch(client, value):
    assert client.put("/api/v1/switches/web.prefetch", json={"value": value}).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_pages_name_rules_while_the_switch_is_on(client, path):
    assert RULES_HEADER not in client.get(path).headers
    set_prefetch(client, "on")
    first, warm = client.get(path), client.get(path)  # through Flask, then the fast path
    assert first.status_code == 200
    assert re.fullmatch(r'"/assets/[0-9a-f]{12}/prefetch/[\w-]+\.speculationrules"', first.headers[RULES_HEADER])
    assert warm.headers[RULES_HEADER] == first.headers[RULES_HEADER]
    again = client.get(path, headers={"If-None-Match": warm.headers["ETag"]})
    assert (again.status_code, again.headers[RULES_HEADER]) == (304, warm.headers[RULES_HEADER])


@pytest.mark.parametrize("path", OTHERS)
def test_private_pages_and_data_name_no_rules(client, path):
    set_prefetch(client, "on")
    assert RULES_HEADER not in client.get(path).headers


def test_named_file_is_served_as_rules_for_a_year(client):
    set_prefetch(client, "on")
    named = json.loads(client.get("/").headers[RULES_HEADER])
    with client.get(named) as file:
        assert file.status_code == 200
        assert file.headers["Content-Type"] == "application/speculationrules+json"
        assert file.headers["Cache-Control"] == IMMUTABLE
        assert json.loads(file.data)["prefetch"]


@pytest.mark.parametrize("after", ["on", "off"])
def test_flip_changes_the_validator_so_old_copies_end(client, after):
    set_prefetch(client, "off" if after == "on" else "on")
    before = [client.get("/p/blue-mug") for _ in range(2)][1].headers["ETag"]
    set_prefetch(client, after)
    for _ in range(2):
        assert client.get("/p/blue-mug", headers={"If-None-Match": before}).status_code == 200


def test_rules_match_no_route_that_writes(runtime):
    """The pattern ``/p/:slug``: one segment below ``/p/``."""
    routes = [
        rule for rule in create_app(runtime).url_map.iter_rules() if re.fullmatch(r"/p/(<[^/]+>|[^/<]+)", rule.rule)
    ]
    assert [rule.rule for rule in routes] == ["/p/<slug>"]
    assert routes[0].methods == {"GET", "HEAD", "OPTIONS"}


def test_prefetch_with_a_cart_writes_nothing_and_sets_no_cookie(client, runtime):
    client.post("/api/v1/cart/items", json={"product": "blue-mug"})
    statements = []

    def note(connection, cursor, statement, parameters, context, many):
        statements.append(statement.split()[0])

    event.listen(runtime.database.engine, "before_cursor_execute", note)
    try:
        ahead = client.get("/p/blue-mug", headers=PREFETCH)
    finally:
        event.remove(runtime.database.engine, "before_cursor_execute", note)
    assert ahead.status_code == 200
    assert "SELECT" in statements
    assert not {"INSERT", "UPDATE", "DELETE", "WITH"} & set(statements)
    assert "Set-Cookie" not in ahead.headers


def test_prefetched_answer_is_the_one_a_click_gets(client):
    set_prefetch(client, "on")
    client.get("/p/blue-mug")

    def facts(answer):
        return sorted(header for header in answer.headers if header[0] not in OF_ONE_REQUEST), answer.data

    assert facts(client.get("/p/blue-mug", headers=PREFETCH)) == facts(client.get("/p/blue-mug"))


def test_log_line_and_metrics_tell_a_prefetch_from_a_use(client, runtime):
    for headers in ({}, PREFETCH):
        client.get("/p/blue-mug", headers=headers)
    lines = [json.loads(line) for line in runtime.access_lines.path.read_text().splitlines()][-2:]
    assert [line.get("purpose") for line in lines] == [None, "prefetch"]
    labels = {"method": "GET", "route": "/p/<slug>", "status": "2xx"}
    for purpose in ("use", "prefetch"):
        counted = runtime.metrics.registry.get_sample_value("shop_http_requests_total", {**labels, "purpose": purpose})
        assert counted == 1
