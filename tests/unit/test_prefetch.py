"""The rules that pages name, and which requests were sent ahead of a click."""

import json

import pytest

from shop.patterns.edge.access_log import LoggedResponse
from shop.patterns.observability.metrics import ProcessMetrics
from shop.patterns.observability.request_record import PREFETCH, USE, RequestRecord
from shop.patterns.overload.request_priority import RequestPriority, classify
from shop.web.prefetch import RULES_FILE, PrefetchRules, request_purpose
from shop.web.public_answers import HTML, JSON
from shop.web.static_publishing import STATIC


@pytest.mark.parametrize("value", ["prefetch", "prefetch;prerender", "prefetch; anonymous-client-ip", " Prefetch "])
def test_each_form_of_the_purpose_means_a_prefetch(value):
    assert request_purpose({"HTTP_SEC_PURPOSE": value}) == PREFETCH
    assert classify(f"GET /p/mug HTTP/1.1\r\nSEC-PURPOSE:{value}\r\n\r\n".encode()) == RequestPriority.SPECULATIVE


@pytest.mark.parametrize("value", ["", "prefetched", "preview", "prerender", "x;prefetch"])
def test_other_purposes_are_no_prefetch(value):
    assert request_purpose({"HTTP_SEC_PURPOSE": value, "HTTP_PURPOSE": "prefetch"}) == USE
    assert classify(f"GET /p/mug HTTP/1.1\r\nSec-Purpose: {value}\r\n\r\n".encode()) == RequestPriority.BROWSE


def test_request_without_a_purpose_is_no_prefetch():
    assert request_purpose({}) == USE


def test_only_pages_name_rules_and_mark_their_validator():
    rules = PrefetchRules("/assets/1/rules")
    assert rules.headers(HTML) == [("Speculation-Rules", '"/assets/1/rules"')]
    assert rules.headers(JSON) == []
    assert (rules.validator("a", HTML), rules.validator("a", JSON)) == ("a-prefetch", "a")


def test_without_a_path_no_page_names_rules():
    assert PrefetchRules().headers(HTML) == []
    assert PrefetchRules().validator("a", HTML) == "a"


def test_rules_prefetch_hovered_links_of_products_alone():
    [kind] = rules = json.loads((STATIC / RULES_FILE).read_text())
    [rule] = rules[kind]
    links, exceptions = rule["where"]["and"]
    assert (kind, rule["eagerness"], links) == ("prefetch", "moderate", {"href_matches": "/p/:slug"})
    assert {"[rel~=nofollow]", ".no-prefetch"} <= set(exceptions["not"]["selector_matches"].split(", "))


def test_a_prefetch_is_counted_under_its_own_label():
    metrics = ProcessMetrics()
    for purpose in (USE, USE, PREFETCH):
        metrics.observe_request("GET", "/p/<slug>", 200, RequestRecord(purpose=purpose))
        metrics.edge.responses.observe(LoggedResponse("catalogue", "hit", 200, 0.001, purpose), 1)
    assert (
        metrics.registry.get_sample_value(
            "shop_http_requests_total", {"method": "GET", "route": "/p/<slug>", "status": "2xx", "purpose": PREFETCH}
        )
        == 1
    )
    assert (
        metrics.registry.get_sample_value(
            "shop_http_request_duration_seconds_count", {"method": "GET", "route": "/p/<slug>", "purpose": USE}
        )
        == 2
    )
    assert (
        metrics.registry.get_sample_value(
            "shop_edge_requests_total",
            {"ttl_class": "catalogue", "outcome": "hit", "status": "2xx", "purpose": PREFETCH},
        )
        == 1
    )
