import pytest

from shop.settings import load_settings
from shop.web.host_names import HostNames, host_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Shop.Example:8080", "shop.example"),
        ("shop.example.", "shop.example"),
        ("[::1]:80", "::1"),
        ("", ""),
        (":80", ""),
    ],
)
def test_a_host_is_compared_without_its_port(host, name):
    assert host_name(host) == name


PRODUCTION = {
    "profile": "production",
    "secret_key": "a key for tests only",
    "public_address": "https://Shop.example:8443/",
    "payments_webhook_address": "http://web:8080/webhooks/payments",
    "allowed_hosts": "www.shop.example, inside.shop.example:81",
}


@pytest.mark.parametrize(
    "host",
    [
        "shop.example",
        "SHOP.example:443",
        "www.shop.example",
        "inside.shop.example",
        "web:8080",
        "localhost:8080",
        "127.0.0.1",
        "[::1]:8080",
        "",
        "_",
    ],
)
def test_production_accepts_configured_hosts_and_local_names(host):
    assert HostNames(load_settings(**PRODUCTION)).is_ours(host)


STRANGERS = [
    "elsewhere.example",
    "shop.example.elsewhere.example",
    "shop.example@elsewhere.example",
    "127.0.0.1.nip.io",
]


@pytest.mark.parametrize("host", [*STRANGERS, "192.0.2.7", "desk", "shop.test", "a b", "[::2]"])
def test_production_is_called_nothing_else(host):
    assert not HostNames(load_settings(**PRODUCTION)).is_ours(host)


@pytest.mark.parametrize("host", ["web:8080", "desk", "192.0.2.7:8080", "[2001:db8::7]", "shop.test", "shop.localhost"])
def test_the_lab_is_called_what_no_attacker_can_be_called(host):
    assert HostNames(load_settings()).is_ours(host)


@pytest.mark.parametrize("host", STRANGERS)
def test_the_lab_is_called_no_name_of_somebody_else(host):
    assert not HostNames(load_settings()).is_ours(host)
