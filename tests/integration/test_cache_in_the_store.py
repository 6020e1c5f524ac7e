"""The cache's patterns over HTTP, on the whole application."""

import json
from datetime import timedelta

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from shop.catalog.editing import ProductChange
from shop.catalog.models import Category, Product
from shop.cli.cache import cache as cache_command
from shop.clock import SystemClock
from shop.errors import ConfigurationError, NotFound
from shop.patterns.caching import CATALOGUE
from shop.patterns.caching.refresh import POPULAR
from shop.patterns.caching.valkey_client import ThreadConnections
from shop.stack.program import free_port
from shop.wiring import build
from tests.support.cache_measures import queries_of
from tests.support.factories import make_category, make_product
from tests.support.polling import until
from tests.support.web_server import WebServer

SCREEN = "/api/v1/screens/product/blue-mug"


@pytest.fixture
def blue_mug(database):
    with database.transaction() as session:
        make_product(session, make_category(session), "blue-mug", price_amount=1200)


def flip(client, name, value):
    assert client.put(f"/api/v1/switches/{name}", json={"value": value}).status_code == 200


def test_an_unknown_product_costs_a_query_once(client, database):
    first, second = (client.get("/api/v1/products/no-such-mug") for _ in range(2))
    assert (first.status_code, second.status_code) == (404, 404)
    assert (queries_of(first), queries_of(second)) == (1, 0)
    assert first.json["detail"] == second.json["detail"]
    assert "shop-local; hit" in second.headers["Cache-Status"]
    assert "detail=negative" in second.headers["Cache-Status"]


def test_stored_negative_entries_are_ignored_when_switched_off(client, blue_mug):
    for switched, queries in (("on", 1), ("off", 1), ("off", 1)):
        flip(client, "cache.negative", switched)
        answer = client.get("/api/v1/products/no-such-mug")
        assert (answer.status_code, queries_of(answer)) == (404, queries)
        assert "detail=negative" not in answer.headers["Cache-Status"] or switched == "on"


def test_entries_from_a_clock_ahead_count_as_expired(client, settings, database, blue_mug):
    """Its expiry is an hour ahead, so its age is unknown."""

    class Ahead(SystemClock):
        def now(self):
            return super().now() + timedelta(hours=1)

    elsewhere = build(settings, Ahead())
    try:
        elsewhere.services().catalog.product("blue-mug")
        with pytest.raises(NotFound):
            elsewhere.services().catalog.product("red-mug")
    finally:
        elsewhere.close()
    with database.transaction() as session:  # and the invalidation is lost
        session.execute(update(Product).values(price_amount=1300))
        make_product(session, session.scalars(select(Category)).one(), "red-mug")
    assert client.get("/api/v1/products/blue-mug").json["price"]["amount"] == 1300
    assert client.get("/api/v1/products/red-mug").status_code == 200


def test_a_new_product_replaces_its_negative_entry_at_once(client, runtime, database, blue_mug):
    assert client.get("/api/v1/products/red-mug").status_code == 404
    assert client.get("/api/v1/products?q=redmug").json["items"] == []
    with database.transaction() as session:
        make_product(session, session.scalars(select(Category)).one(), "red-mug", title="Redmug")
    runtime.services().cache.invalidate(["catalogue"])  # as an import does
    assert client.get("/api/v1/products/red-mug").status_code == 200
    assert [item["slug"] for item in client.get("/api/v1/products?q=redmug").json["items"]] == ["red-mug"]


def test_only_empty_searches_are_cached_until_a_change(client, runtime, blue_mug):
    in_vain = [client.get("/api/v1/products?q=zeppelin") for _ in range(2)]
    assert [answer.json["items"] for answer in in_vain] == [[], []]
    assert queries_of(in_vain[0]) > 0
    assert queries_of(in_vain[1]) == 0
    assert all(queries_of(client.get("/api/v1/products?q=blue")) > 0 for _ in range(2))
    runtime.services().catalog.edit("blue-mug", ProductChange(title="Zeppelin mug"))
    assert [item["slug"] for item in client.get("/api/v1/products?q=zeppelin").json["items"]] == ["blue-mug"]


@pytest.mark.parametrize("value", ["event", "write-through"])
def test_invalidation_follows_the_commit(client, runtime, database, blue_mug, value):
    """A reader between an early invalidation and the commit would store the old price under the new versions."""
    flip(client, "cache.invalidation", value)
    client.get(SCREEN)
    catalog, seen = runtime.services().catalog, []
    invalidate = runtime.cache.shared.invalidate

    def watched(tags):
        with database.reading() as session:  # another connection, as a reader has
            seen.append(session.scalars(select(Product.price_amount)).one())
        return invalidate(tags)

    runtime.cache.shared.invalidate = watched
    catalog.edit("blue-mug", ProductChange(price=1300))
    assert seen == [1300]


def test_after_write_through_the_next_reader_loads_nothing(client, runtime, blue_mug):
    client.get(SCREEN)
    flip(client, "cache.invalidation", "write-through")
    runtime.services().catalog.edit("blue-mug", ProductChange(price=1300))
    answer = client.get(SCREEN)
    assert answer.json["product"]["price"]["amount"] == 1300
    assert queries_of(answer) == 0
    assert "shop-local; hit" in answer.headers["Cache-Status"]


def test_ttl_only_hides_an_edit_until_the_switch_changes(client, runtime, blue_mug):
    client.get(SCREEN)
    flip(client, "cache.invalidation", "ttl")
    client.get(SCREEN)
    runtime.services().catalog.edit("blue-mug", ProductChange(price=1300))
    assert client.get(SCREEN).json["product"]["price"]["amount"] == 1200
    flip(client, "cache.invalidation", "event")
    assert client.get(SCREEN).json["product"]["price"]["amount"] == 1300


def test_a_popular_page_is_refreshed_in_the_background(client, runtime, blue_mug):
    flip(client, "cache.stampede", "refresh-ahead")
    for name in ("cache.local", "cache.jitter"):
        flip(client, name, "off")
    assert client.get("/p/blue-mug").status_code == 200
    clock = runtime.clock
    ahead = CATALOGUE.ttl_s * 0.9
    now = clock.now
    clock.now = lambda: now() + timedelta(seconds=ahead)
    answers = [client.get("/p/blue-mug") for _ in range(int(POPULAR) + 1)]
    until(lambda: runtime.cache.refresh_worker.pending_loads == 0)
    assert {queries_of(answer) for answer in answers} == {0}
    left = client.get("/p/blue-mug").headers["Cache-Status"].split("shop-shared; hit; ttl=")[1].split(",")[0]
    assert int(left) > CATALOGUE.ttl_s * 0.5


@pytest.fixture
def command(settings, database, monkeypatch):
    def run(*words, **overrides):
        for name, value in settings.model_copy(update=overrides).as_environment().items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(cache_command, list(words))

    return run


def test_the_command_line_shows_and_invalidates_an_entry(client, command, blue_mug):
    client.get(SCREEN)
    found = json.loads(command("inspect", "product:screen:blue-mug", "--json").output)
    assert (found["state"], found["tags"]) == ("fresh", ["product:blue-mug", "catalogue"])
    assert command("purge", "product:blue-mug").exit_code == 0
    assert "invalidated by product:blue-mug" in command("inspect", "product:screen:blue-mug").output
    until(lambda: queries_of(client.get(SCREEN)) > 0)  # this process has heard it, too
    assert "missing" in command("inspect", "no:such:key").output


def test_the_command_line_sums_the_statistics_of_all_processes(command, settings, blue_mug, tmp_path):
    server = WebServer(settings, tmp_path / "web", workers=2)
    try:
        server.wait()
        for _ in range(30):
            httpx.get(server.url + SCREEN)
        httpx.get(f"{server.url}/api/v1/products/no-such-mug")
        port = server.settings.metrics_port
        document = json.loads(command("stats", "--json", metrics_port=port).output)
        text = command("stats", metrics_port=port).output
    finally:
        server.stop()
    rows = {(row["layer"], row["ttl_class"]): row for row in document["classes"]}
    local = rows["shop-local", "catalogue"]["outcomes"]
    assert local["hit"] + local["miss"] == 31
    assert rows["shop-local", "catalogue"]["hit_rate"] > 0.8
    assert document["held_bytes"] > 0
    assert document["loads"]["miss"] >= 1
    assert "shop-shared" in text


def test_without_a_running_stack_the_command_gives_advice(command):
    answer = command("stats", metrics_port=free_port())
    assert isinstance(answer.exception, ConfigurationError)
    assert "bin/shop up" in str(answer.exception)


def test_a_page_of_three_parts_reads_the_cache_once(client, blue_mug, monkeypatch):
    flip(client, "cache.local", "off")
    warm = client.get("/p/blue-mug/reviews")
    packets = []
    exchange = ThreadConnections.execute_pipeline
    monkeypatch.setattr(
        ThreadConnections,
        "execute_pipeline",
        lambda self, sent, *limit: packets.append(sent) or exchange(self, sent, *limit),
    )
    again = client.get("/p/blue-mug/reviews")
    assert again.data == warm.data
    parts = [f"product:{part}:blue-mug" for part in ("core", "rating", "reviews:20")]
    assert sum(all(part in str(packet) for part in parts) for packet in packets) == 1
    assert sum(any(part in str(packet) for part in parts) for packet in packets) == 1
    assert (queries_of(again), client.get("/p/none/reviews").status_code) == (0, 404)
