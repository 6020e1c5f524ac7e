"""The store's API for the lab besides switches: store parameters, which every process applies, and counters."""

import httpx
import pytest
import redis

from shop.faults import FaultChannel, FaultReport
from shop.patterns.caching.inspection import BYTES_A_MB, MaxMemory
from shop.switches.parameters import CACHE_MEMORY, LAB_PARAMETERS, TTL_SCALE, WEB_PROCESSES
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


def test_every_process_applies_a_ttl_scale_within_a_second(settings, database, blue_mug, tmp_path, cache_client):
    SwitchStore(database, allow_unsafe=True).set("cache.local", "off")
    servers = [WebServer(settings, tmp_path / name) for name in ("one", "two")]
    try:
        for server in servers:
            server.wait()
        httpx.put(servers[0].url + KNOB + TTL_SCALE, json={"value": 0.01}).raise_for_status()

        def scale_applies():
            return all(lifetime_of_a_fresh_entry(server.url, cache_client) <= 3 for server in servers)

        assert seconds_until(scale_applies) < 1.5, "a second, and more on a busy machine"
    finally:
        for server in servers:
            server.stop()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("lab.ttl_scal", 1, "Did you mean lab.ttl_scale?"), (TTL_SCALE, 0, "0.001"), (CACHE_MEMORY, 1e9, "4096")],
)
def test_invalid_parameters_are_refused(client, name, value, message):
    answer = client.put(KNOB + name, json={"value": value})
    assert answer.status_code == 422
    assert message in answer.json["detail"]


def test_the_memory_limit_of_an_external_cache_is_not_changed(client, settings):
    before = MaxMemory(str(settings.cache_url)).limit_mb()
    assert client.put(KNOB + CACHE_MEMORY, json={"value": 2}).status_code == 409
    assert MaxMemory(str(settings.cache_url)).limit_mb() == before


def test_the_memory_limit_of_the_stack_cache_can_be_set(client, settings):
    before = MaxMemory(str(settings.cache_url)).limit_mb()
    settings.run_dir.mkdir(exist_ok=True)
    FaultChannel(settings.run_dir).publish_report(FaultReport(("cache",), {"cache": "none"}, ""))
    try:
        assert client.put(KNOB + CACHE_MEMORY, json={"value": 7}).json["value"] == 7
        parameters = {item["name"]: item["value"] for item in client.get("/api/v1/lab/knobs").json["items"]}
        assert parameters == {
            TTL_SCALE: LAB_PARAMETERS[TTL_SCALE].default,
            CACHE_MEMORY: 7,
            WEB_PROCESSES: None,  # no supervisor runs them
        }
        with redis.Redis.from_url(str(settings.cache_url)) as server:
            assert int(server.config_get("maxmemory")["maxmemory"]) == 7 * BYTES_A_MB
    finally:
        MaxMemory(str(settings.cache_url)).set_limit_mb(before)
        FaultChannel(settings.run_dir).close()


def test_store_parameters_have_no_effect_outside_the_lab(database):
    SwitchStore(database, allow_unsafe=True).set_parameter(TTL_SCALE, 0.5)
    assert SwitchStore(database, allow_unsafe=True).load() == {TTL_SCALE: "0.5"}
    assert SwitchStore(database, allow_unsafe=False).load() == {}


def test_the_store_counts_its_loads(client, blue_mug):
    def loads():
        return client.get("/api/v1/lab/figures").json["loads"].get("catalogue", 0)

    before = loads()
    client.get(SCREEN)
    client.get(SCREEN)
    assert loads() == before + 1


def test_the_lab_api_reports_evicted_keys(client, cache_client):
    answer = client.get("/api/v1/lab/cache")
    assert answer.json == {"evicted_keys": cache_client.info("stats")["evicted_keys"]}
    assert answer.headers["Cache-Control"] == "no-store"
