"""Metrics, summed over the processes of a real web server."""

import re
import sys

import httpx
import pytest

from shop.lab.metrics_client import sum_samples
from shop.patterns.caching.events import LookupFinished
from shop.patterns.observability.metric_names import HTTP_IN_FLIGHT
from shop.patterns.observability.metrics import ProcessMetrics
from shop.patterns.observability.metrics_summary import collect
from shop.patterns.observability.request_record import RequestRecord
from shop.web.request_middleware import RequestMiddleware
from tests.support.web_server import WebServer


def test_requests_are_counted_by_route_template_and_status_class(client, runtime):
    for slug in ("one", "two", "three"):
        client.get(f"/api/v1/screens/product/{slug}")
    client.get("/nowhere/at/all")
    counted = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for family in runtime.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "shop_http_requests_total"
    }
    assert counted == {("/api/v1/screens/product/<string:slug>", "4xx"): 3, ("unmatched", "4xx"): 1}


def test_a_request_is_in_flight_until_its_end(runtime):
    metrics, seen = ProcessMetrics(), []

    def in_flight():
        return metrics.registry.get_sample_value("shop_http_in_flight")

    def fails(environ, start_response):
        seen.append(in_flight())
        raise RuntimeError

    surrounded = RequestMiddleware(fails, runtime.services, metrics, (), lambda host: True, show_timings=False)
    with pytest.raises(RuntimeError):
        surrounded({"REQUEST_METHOD": "GET", "PATH_INFO": "/", "QUERY_STRING": ""}, None)
    assert (seen, in_flight()) == ([1], 0)


def test_unknown_methods_share_one_label():
    metrics = ProcessMetrics()
    for method in ("BREW", "PROPFIND"):
        metrics.observe_request(method, "", 405, RequestRecord())
    methods = {
        sample.labels["method"]
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "shop_http_requests_total"
    }
    assert methods == {"other"}


def test_the_hit_rate_excludes_bypasses():
    metrics = ProcessMetrics()
    for outcome in ("hit", "hit", "hit", "miss", "bypass"):
        metrics.cache.observe_lookup(LookupFinished("shop-shared", "catalogue", outcome, 0, False, 0.0))
    (layer,) = collect(metrics.registry).layers
    assert (layer.lookups, layer.hits, layer.hit_rate) == (4, 3, pytest.approx(0.75))


def test_the_exporter_sums_the_metrics_of_all_workers(settings, database, tmp_path):
    further = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"  # elsewhere loopback has one address
    server = WebServer(settings.model_copy(update={"metrics_host": further}), tmp_path / "web", workers=2)
    try:
        server.wait()
        for _ in range(20):
            httpx.get(f"{server.url}/api/v1/switches")  # a new connection each: both workers get some
        text = httpx.get(server.metrics_url).text
        assert "shop_http_requests_total" in httpx.get(server.metrics_url.replace("127.0.0.1", further)).text
        assert httpx.get(f"{server.url}/metrics").status_code == 404
    finally:
        server.stop()
    counts = re.findall(r'shop_http_requests_total\{.*route="/api/v1/switches".*\} ([0-9.]+)', text)
    assert [float(count) for count in counts] == [20.0]
    assert sum_samples(text, HTTP_IN_FLIGHT) == 0, "added up over the processes, and all have answered"
    assert 'shop_http_request_duration_seconds_bucket{le="0.005"' in text
