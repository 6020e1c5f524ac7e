"""What the lab asks of the store besides switches: knobs, in force everywhere, and the store's own count."""

import httpx
import pytest
import redis

from shop.faults import FaultChannel, FaultReport
from shop.patterns.caching.inspection import BYTES_A_MB, MaxMemory
from shop.switches.parameters import CACHE_MEMORY, LAB_PARAMETERS, TTL_SCALE
from shop.switches.store import SwitchStore
from tests.support.factories import make_category, make_product
from tests.support.polling import seconds_until
from tests.support.web_server import WebServer

SCREEN = "/api/v1/screens/product/blue-mug"
KNOB = "/api/v1/lab/knobs/"


@pytest.fixture
def blue_mug(database):
    with database.transaction() as session:
        make_product(session, make_category(session), "blue-mug")


def lifetime_of_a_fresh_entry(url, cache_client):
    cache_client.flushdb()
    httpx.get(url + SCREEN)
    answer = httpx.get(url + SCREEN)
    return int(answer.headers["Cache-Status"].split("shop-shared; hit; ttl=")[1].split(",")[0].split(";")[0])


def test_a_scaled_time_to_live_is_in_force_in_every_process_within_a_second(
    settings, database, blue_mug, tmp_path, cache_client
):
    SwitchStore(database, allow_unsafe=True).set("cache.local", "off")
    servers = [WebServer(settings, tmp_path / name) for name in ("one", "two")]
    try:
        for server in servers:
            server.wait()
        httpx.put(servers[0].url + KNOB + TTL_SCALE, json={"value": 0.01}).raise_for_status()

        def in_force():
            return all(lifetime_of_a_fresh_entry(server.url, cache_client) <= 3 for server in servers)

        assert seconds_until(in_force) < 1.5, "a second, and what a busy machine adds"
    finally:
        for server in servers:
            server.stop()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("lab.ttl_scal", 1, "Did you mean lab.ttl_scale?"), (TTL_SCALE, 0, "0.001"), (CACHE_MEMORY, 1e9, "4096")],
)
def test_what_cannot_be_is_refused(client, name, value, says):
    answer = client.put(KNOB + name, json={"value": value})
    assert answer.status_code == 422
    assert says in answer.json["detail"]


def test_the_memory_of_a_server_that_is_not_the_stack_s_is_left_alone(client, settings):
    before = MaxMemory(str(settings.cache_url)).limit_mb()
    assert client.put(KNOB + CACHE_MEMORY, json={"value": 2}).status_code == 409
    assert MaxMemory(str(settings.cache_url)).limit_mb() == before


def test_the_cache_is_asked_how_much_it_may_hold_and_told(client, settings):
    before = MaxMemory(str(settings.cache_url)).limit_mb()
    settings.run_dir.mkdir(exist_ok=True)
    FaultChannel(settings.run_dir).publish_report(FaultReport(("cache",), {"cache": "none"}, ""))
    try:
        assert client.put(KNOB + CACHE_MEMORY, json={"value": 7}).json["value"] == 7
        found = {item["name"]: item["value"] for item in client.get("/api/v1/lab/knobs").json["items"]}
        assert found == {TTL_SCALE: LAB_PARAMETERS[TTL_SCALE].default, CACHE_MEMORY: 7}
        with redis.Redis.from_url(str(settings.cache_url)) as server:
            assert int(server.config_get("maxmemory")["maxmemory"]) == 7 * BYTES_A_MB
    finally:
        MaxMemory(str(settings.cache_url)).set_limit_mb(before)
        FaultChannel(settings.run_dir).close()


def test_a_turned_knob_counts_for_nothing_outside_the_lab(database):
    SwitchStore(database, allow_unsafe=True).set_parameter(TTL_SCALE, 0.5)
    assert SwitchStore(database, allow_unsafe=True).load() == {TTL_SCALE: "0.5"}
    assert SwitchStore(database, allow_unsafe=False).load() == {}


def test_the_store_counts_what_it_made_afresh(client, blue_mug):
    def loads():
        return client.get("/api/v1/lab/figures").json["loads"].get("catalogue", 0)

    before = loads()
    client.get(SCREEN)
    client.get(SCREEN)
    assert loads() == before + 1


def test_what_the_cache_had_to_evict_is_told(client, cache_client):
    told = client.get("/api/v1/lab/cache")
    assert told.json == {"evicted_keys": cache_client.info("stats")["evicted_keys"]}
    assert told.headers["Cache-Control"] == "no-store"
