"""Servers of the user's own are checked before anything starts."""

import pytest
import redis

from shop.errors import ConfigurationError
from shop.settings import load_settings
from shop.stack import outside
from shop.stack.program import free_port


def refusal(name: str, address: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        outside.check(load_settings(**{name: address}), name)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("name", ["database_url", "cache_url", "broker_url"])
def test_a_server_that_is_there_and_fit_is_accepted(settings, name):
    outside.check(settings, name)


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
def test_a_server_that_does_not_answer_is_named_and_its_password_is_not(name, scheme):
    said = refusal(name, f"{scheme}://shop:hush@127.0.0.1:{free_port()}/0")
    assert said.startswith(f"{name.upper()}={scheme}://shop:***@127.0.0.1:")
    assert f"unset {name.upper()}" in said
    assert "hush" not in said


@pytest.mark.parametrize("name", ["database_url", "cache_url", "broker_url", "payments_url"])
@pytest.mark.parametrize("address", ["nonsense", "mysql://127.0.0.1/shop", ""])
def test_an_address_of_another_kind_is_refused_with_the_right_spelling(name, address):
    assert "://" in refusal(name, address).split("write")[1]


def test_a_database_that_does_not_exist_is_refused(settings):
    nowhere = str(settings.database_url).rpartition("/")[0] + "/nowhere"
    assert "does not exist" in refusal("database_url", nowhere)


def test_a_broker_that_evicts_is_refused(settings):
    assert "evicts (allkeys-lfu)" in refusal("broker_url", str(settings.cache_url))


def test_a_server_that_is_too_old_is_refused(settings, monkeypatch):
    monkeypatch.setattr(outside, "POSTGRES_AT_LEAST", 99)
    monkeypatch.setattr(outside, "VALKEY_AT_LEAST", 99)
    assert "99 or newer is needed" in refusal("database_url", str(settings.database_url))
    assert "Redis 99 or any Valkey is needed" in refusal("cache_url", str(settings.cache_url))


def test_a_server_that_went_away_is_not_healthy(settings):
    assert outside.healthy(settings, "cache_url")
    assert not outside.healthy(load_settings(cache_url=f"redis://127.0.0.1:{free_port()}/0"), "cache_url")


def test_the_cache_and_the_broker_are_configured_for_what_they_are(settings):
    with (
        redis.Redis.from_url(str(settings.cache_url)) as cache,
        redis.Redis.from_url(str(settings.broker_url)) as broker,
    ):
        assert cache.config_get("maxmemory-policy")["maxmemory-policy"] == "allkeys-lfu"
        assert int(cache.config_get("maxmemory")["maxmemory"]) > 0
        assert broker.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert broker.config_get("appendonly")["appendonly"] == "yes"
