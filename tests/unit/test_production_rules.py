"""What production must have and must not have: each rule is broken once, alone, and all of them at once."""

import pytest

from shop.errors import ConfigurationError
from shop.production_rules import RULES, broken_rules, require_production
from shop.settings import load_settings

KEY = "zN4vQm8cT1yK6wR3pX9sB2hD5jF7gL0aE-uI_oYtWq"
"""Random, but the same for every process that collects these tests."""
READY = {
    "profile": "production",
    "secret_key": f"{KEY} {KEY[::-1]}",
    "database_url": "postgresql://shop:of-my-own@10.0.0.2/shop",
    "payments_url": "https://api.payments.example",
    "payments_api_key": KEY,
    "payments_webhook_secret": KEY,
    "mail_url": "smtps://user:word@mail.example",
    "mail_from": "My shop <orders@shop.example>",
    "public_address": "https://shop.example",
    "host": "10.0.0.1",
    "tls_cert": "/etc/tls/cert.pem",
    "tls_key": "/etc/tls/key.pem",
}
BROKEN = [
    ("secret_key", "", "SHOP_SECRET_KEY is not set"),
    ("secret_key", "  ", "SHOP_SECRET_KEY is not set"),
    ("secret_key", "x", "SHOP_SECRET_KEY holds a key that is published or weak"),
    ("secret_key", "only-for-this-machine", "SHOP_SECRET_KEY holds a key that is published or weak"),
    ("secret_key", "ab" * 30, "SHOP_SECRET_KEY holds a key that is published or weak"),
    ("secret_key", f"{'0' * 48} {KEY}", "SHOP_SECRET_KEY holds a key that is published or weak"),
    ("secret_key", f"{KEY} x", "SHOP_SECRET_KEY holds a key that is published or weak"),
    ("payments_url", None, "PAYMENTS_URL is not set"),
    ("payments_url", "http://payments:8081", "PAYMENTS_URL sends the key"),
    ("payments_api_key", "", "SHOP_PAYMENTS_API_KEY is not set"),
    ("payments_api_key", "only-for-this-machine", "SHOP_PAYMENTS_API_KEY is not set, published"),
    ("payments_webhook_secret", "", "SHOP_PAYMENTS_WEBHOOK_SECRET is not set"),
    ("payments_webhook_secret", "only-for-this-machine", "SHOP_PAYMENTS_WEBHOOK_SECRET is not set, published"),
    ("database_url", "postgresql://shop:shop@postgres/shop", "DATABASE_URL contains a published password"),
    ("cache_url", "redis://:changeme@cache/0", "CACHE_URL contains a published password"),
    ("broker_url", "redis://:secret@broker/0", "BROKER_URL contains a published password"),
    ("mail_url", None, "MAIL_URL is not set"),
    ("mail_from", "shop <orders@shop.test>", "SHOP_MAIL_FROM is the lab's address"),
    ("public_address", None, "SHOP_PUBLIC_ADDRESS is not an https:// address"),
    ("public_address", "http://shop.example", "SHOP_PUBLIC_ADDRESS is not an https:// address"),
    ("tls_cert", None, "SHOP_TLS_CERT is not set"),
    ("ship_after_s", 1, "SHOP_SHIP_AFTER_S moves orders on"),
    ("deliver_after_s", 1, "SHOP_DELIVER_AFTER_S moves orders on"),
]


def test_complete_settings_are_accepted():
    require_production(load_settings({}, **READY))


@pytest.mark.parametrize(
    "behind",
    [{"tls_cert": None, "host": "127.0.0.1"}, {"tls_cert": None, "trusted_proxies": "10.0.0.7"}],
)
def test_tls_may_end_at_a_proxy(behind):
    assert broken_rules(load_settings({}, **READY | behind)) == []


@pytest.mark.parametrize(("field", "value", "says"), BROKEN)
def test_each_fault_is_one_line_with_variable_and_remedy(field, value, says):
    [line] = broken_rules(load_settings({}, **READY | {field: value}))
    assert line.startswith(says)
    assert ": " in line
    assert "\n" not in line


def test_every_rule_is_broken_by_a_test():
    broken = {line for field, value, _ in BROKEN for line in broken_rules(load_settings({}, **READY | {field: value}))}
    assert broken == {str(rule) for rule in RULES}


def test_all_missing_settings_are_listed_at_once():
    with pytest.raises(ConfigurationError) as refused:
        require_production(load_settings({}, profile="production"))
    told = str(refused.value)
    for name in ("SHOP_SECRET_KEY", "PAYMENTS_URL", "SHOP_PAYMENTS_API_KEY", "MAIL_URL", "SHOP_PUBLIC_ADDRESS"):
        assert f"\n{name} " in told


def test_lab_needs_no_production_settings():
    assert broken_rules(load_settings({})) == []


def test_contradicting_limits_are_refused_too():
    with pytest.raises(ConfigurationError, match="SHOP_THREADS=9 must be at most SHOP_DB_POOL_SIZE=8"):
        require_production(load_settings({}, **READY, threads=9))
