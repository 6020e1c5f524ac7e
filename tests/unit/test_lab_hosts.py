import pytest

from shop.errors import ConfigurationError
from shop.lab.loopback import check_loopback


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"])
def test_addresses_of_this_machine_are_accepted(url):
    assert check_loopback(url + "/") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example",
        "http://10.0.0.1:8080",
        "http://0.0.0.0:8080",
        "http://localhost.example",
        "http://127.0.0.1@shop.example",
        "ftp://127.0.0.1",
        "8080",
    ],
)
def test_addresses_of_other_machines_are_refused(url):
    with pytest.raises(ConfigurationError):
        check_loopback(url)
