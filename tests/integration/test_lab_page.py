"""The page ``/lab`` without JavaScript, and the polls of its live figures."""

import re

import pytest

from shop.faults import FaultChannel, FaultReport
from shop.lab_console import live_snapshot
from shop.lab_console.switch_guide import CHAPTERS
from shop.lab_orders import LabOrderChannel, LabOrderReport
from shop.patterns.caching.inspection import MaxMemory
from shop.switches.registry import SWITCHES


@pytest.fixture
def page_of(client):
    """Return a function that gets the page; switches are back at their defaults afterwards."""
    yield lambda query="": client.get(f"/lab{query}").text
    client.post("/lab/restore")


def live(client):
    answer = client.get("/lab/live")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    return answer.json


def test_page_shows_figures_and_every_switch_in_its_chapter(page_of):
    page = page_of()
    for label in ("Requests a second", "p50 and p95", "Errors", "Queries a second", "In flight", "Outbox + queue"):
        assert label in page
    for title, names in CHAPTERS.items():
        chapter = page.partition(f'<h3 class="lab__chapter">{title}</h3>')[2].partition('<h3 class="lab__chapter">')[0]
        assert [name for name in names if f'data-switch="{name}"' not in chapter] == []


def test_every_switch_has_a_place_and_something_to_read():
    assert sorted(name for names in CHAPTERS.values() for name in names) == sorted(SWITCHES)


def test_changed_switch_is_marked_and_a_plain_form_resets_it(client, page_of):
    assert "Put back" not in page_of()
    client.post("/lab/switches/checkout.stock", data={"value": "naive"})
    page = page_of()
    assert "1 not at its default" in page
    assert 'class="badge badge--danger">unsafe<' in page
    assert 'value="naive" aria-pressed="true"' in page
    assert 'value="conditional" aria-pressed="false"' in page
    form = re.search(r'<form class="changed__one[^>]*action="([^"]+)".*?name="value" value="([^"]+)"', page, re.DOTALL)
    assert form is not None
    client.post(form[1], data={"value": form[2]})
    assert "Put back" not in page_of()


def test_chapter_with_changed_switch_is_open_and_counts_it(client, page_of):
    assert folds(page_of()) == {"Speed": ""}
    client.post("/lab/switches/cache.jitter", data={"value": "off"})
    client.post("/lab/switches/checkout.stock", data={"value": "naive"})
    assert folds(page_of()) == {"Speed": "", "Correctness": "2 changed, 1 unsafe"}


def folds(page):
    """Return the parts that are open, each with its badge."""
    heads = re.findall(r'<details class="fold" data-fold="([^"]+)"[^>]* open>\s*<summary.*?</h\d>(.*?)</summary>', page)
    return {name: "".join(re.findall(r'class="badge[^>]*>([^<]*)<', head)) for name, head in heads}


def test_put_all_back_resets_every_switch(client, page_of):
    for name in ("cache.shared", "cache.jitter"):
        client.post(f"/lab/switches/{name}", data={"value": "off"})
    assert "2 not at their default" in page_of()
    client.post("/lab/restore")
    assert "Put back" not in page_of()


def test_changed_parameter_is_marked_and_a_plain_form_resets_it(client, page_of):
    client.post("/lab/parameters/lab.ttl_scale", data={"value": "0.01"})
    page = page_of()
    assert "1 not at its default" in page
    assert "lab.ttl_scale = 0.01" in page
    strip = client.get("/api/v1/lab/requests/none").json
    assert strip["parameters"] == [{"name": "lab.ttl_scale", "value": "0.01", "unsafe": False}]
    form = re.search(r'<form class="changed__one[^>]*action="([^"]+)".*?name="value" value="([^"]+)"', page, re.DOTALL)
    assert form is not None
    client.post(form[1], data={"value": form[2]})
    assert "Put back" not in page_of()
    assert client.post(form[1], data={"value": "much"}).status_code == 422


def test_parameter_of_a_server_is_compared_with_its_start(client, page_of, settings):
    settings.run_dir.mkdir(exist_ok=True)
    channel, orders = FaultChannel(settings.run_dir), LabOrderChannel(settings.run_dir)
    orders.publish_report(LabOrderReport(web_processes=settings.workers + 1))
    limit = MaxMemory(str(settings.cache_url)).limit_mb()
    try:
        assert f"lab.web_processes = {settings.workers + 1}" in page_of()
        assert "lab.cache_memory_mb = " not in page_of(), "this cache is no server of the stack"
        channel.publish_report(FaultReport(("cache",), {"cache": "none"}, ""))
        is_changed = limit != settings.cache_memory_mb
        assert ("lab.cache_memory_mb = " in page_of()) == is_changed
        channel.publish_report(FaultReport(("cache",), {"cache": "hang"}, ""))
        assert "lab.cache_memory_mb = " not in page_of(), "a broken cache is not asked"
    finally:
        channel.close()
        orders.close()


def test_flip_on_the_wall_stays_on_the_wall(client, page_of):
    page = page_of("?wall=1")
    assert "lab--wall" in page
    action = re.search(r'action="(/lab/switches/cache.shared[^"]*)"', page)
    assert client.post(action[1], data={"value": "on"}).location == "/lab?wall=1"


def test_viewers_do_not_count_themselves(client):
    before = client.get("/api/v1/lab/figures").json
    for _ in range(5):
        live(client)
    after = client.get("/api/v1/lab/figures").json
    assert after["requests"] - before["requests"] == 1, "the reading of the figures alone"


def test_live_figures_show_where_requests_were_answered(client, product_on_shelf, monkeypatch):
    monkeypatch.setattr(live_snapshot, "EVERY_S", 0.0)  # each poll is a second of its own
    product_on_shelf("blue-mug")
    live(client)
    for _ in range(3):
        client.get("/api/v1/screens/product/blue-mug")
    point = live(client)["point"]
    assert point["answers"]["database"] == 1
    assert point["answers"].get("local", 0) + point["answers"].get("shared", 0) == 2
    assert point["queries"] > 0
    assert point["p95"] >= point["p50"] > 0


def test_live_figures_are_for_our_hosts_only(client):
    assert client.get("/lab/live", headers={"Host": "rebound.example.org"}).status_code == 421


def test_load_is_ordered_from_the_page_and_stopped(client, page_of, settings):
    settings.run_dir.mkdir(exist_ok=True)
    orders = LabOrderChannel(settings.run_dir)
    assert client.post("/lab/load", data={"rate": "many", "seconds": "60"}).status_code == 422
    assert "Generate load" in page_of()
    orders.publish_report(LabOrderReport("running", "bin/shop lab load --rate 40 --seconds 60"))
    try:
        page = page_of()
        assert "bin/shop lab load --rate 40" in page
        assert 'action="/lab/stop"' in page
        assert "Generate load" not in page
    finally:
        orders.close()
