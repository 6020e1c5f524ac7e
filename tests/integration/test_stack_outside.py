"""Servers of the user's own are checked before anything starts."""

import http.server
import threading

import pytest
import redis

from shop.datasets.loading import exclusive_connection
from shop.errors import ConfigurationError
from shop.reconciliation.store import read_snapshot
from shop.settings import load_settings
from shop.stack import external_servers
from shop.stack.program import free_port


def refusal(name: str, address: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        external_servers.check(load_settings(**{name: address}), name)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("name", ["database_url", "cache_url", "broker_url"])
def test_a_server_that_is_there_and_fit_is_accepted(settings, name):
    external_servers.check(settings, name)


@pytest.mark.parametrize("way", ["start", "audit", "load"])
def test_options_in_an_address_reach_the_database_unchanged(settings, database, way):
    given = settings.model_copy(update={"database_url": f"{settings.database_url}?options=-c%20work_mem%3D9MB"})
    if way == "start":
        external_servers.check(given, "database_url")
    elif way == "audit":
        assert read_snapshot(str(given.database_url), 0)
    else:
        with exclusive_connection(given) as connection:
            assert connection.execute("SHOW work_mem").fetchone() == ("9MB",)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("database_url", "postgresql"),
        ("cache_url", "redis"),
        ("broker_url", "redis"),
        ("broker_url", "amqp"),
        ("payments_url", "http"),
    ],
)
def test_server_without_answer_is_named_without_its_password(name, scheme):
    said = refusal(name, f"{scheme}://shop:hush@127.0.0.1:{free_port()}/0")
    assert said.startswith(f"{name.upper()}={scheme}://shop:***@127.0.0.1:")
    assert f"unset {name.upper()}" in said
    assert "hush" not in said


@pytest.mark.parametrize("name", ["database_url", "cache_url", "broker_url", "payments_url"])
@pytest.mark.parametrize("address", ["nonsense", "mysql://127.0.0.1/shop", ""])
def test_address_of_another_kind_is_refused_with_an_example(name, address):
    assert "://" in refusal(name, address).split("write")[1]


def test_a_database_that_does_not_exist_is_refused(settings):
    nowhere = str(settings.database_url).rpartition("/")[0] + "/nowhere"
    said = refusal("database_url", nowhere)
    assert "does not exist" in said
    assert "start that server" not in said  # it has just answered


ADDRESSES = {
    "another kind": ("database_url", "mysql://root:hush@127.0.0.1/shop"),
    "an at sign in the password": ("database_url", "mysql://root:hu@sh@127.0.0.1/shop"),
    "a slash in the password": ("cache_url", "redis://:hu/sh@127.0.0.1:6379/0"),
    "a port of letters": ("broker_url", "amqp://shop:hush@127.0.0.1:port/"),
    "a database of letters": ("cache_url", "redis://:hush@127.0.0.1:6379/shop"),
    "no host": ("mail_url", "smtp://shop:hush@"),
    "a password behind the question mark": ("database_url", "mysql://127.0.0.1/shop?user=root&password=hush"),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_unreadable_address_is_refused_without_its_password(case):
    name, address = ADDRESSES[case]
    said = refusal(name, address)
    assert said.startswith(f"{name.upper()}=")
    assert "***" in said
    assert "sh@" not in said
    assert "hush" not in said


class Refusing(http.server.BaseHTTPRequestHandler):
    """A provider that knows another key."""

    def do_GET(self):
        self.send_response(200 if self.headers["Authorization"] == "Bearer right" else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


def test_provider_that_refuses_the_key_is_unhealthy():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        there = load_settings(payments_url=f"http://127.0.0.1:{server.server_port}", payments_api_key="wrong")
        assert "SHOP_PAYMENTS_API_KEY" in external_servers.failure_reason(there, "payments_url")
        right = there.model_copy(update={"payments_api_key": "right"})
        assert external_servers.failure_reason(right, "payments_url") == ""
        server.shutdown()


def test_a_broker_that_evicts_is_refused(settings):
    assert "evicts (allkeys-lfu)" in refusal("broker_url", str(settings.cache_url))


def test_a_server_that_is_too_old_is_refused(settings, monkeypatch):
    monkeypatch.setattr(external_servers, "MIN_POSTGRES_VERSION", 99)
    monkeypatch.setattr(external_servers, "MIN_VALKEY_VERSION", 99)
    assert "99 or newer is needed" in refusal("database_url", str(settings.database_url))
    assert "Redis 99 or any Valkey is needed" in refusal("cache_url", str(settings.cache_url))


def test_a_server_that_went_away_is_not_healthy(settings):
    assert external_servers.failure_reason(settings, "cache_url") == ""
    away = load_settings(cache_url=f"redis://127.0.0.1:{free_port()}/0")
    assert "does not answer" in external_servers.failure_reason(away, "cache_url")


def test_a_broker_that_is_away_is_refused_with_the_reason():
    for scheme in ("redis", "amqp"):
        assert "Connection refused" in refusal("broker_url", f"{scheme}://127.0.0.1:{free_port()}/0")


def test_cache_evicts_and_broker_does_not(settings):
    with (
        redis.Redis.from_url(str(settings.cache_url)) as cache,
        redis.Redis.from_url(str(settings.broker_url)) as broker,
    ):
        assert cache.config_get("maxmemory-policy")["maxmemory-policy"] == "allkeys-lfu"
        assert int(cache.config_get("maxmemory")["maxmemory"]) > 0
        assert broker.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert broker.config_get("appendonly")["appendonly"] == "yes"
