"""Whose word about a request is taken."""

import pytest

from shop.errors import ConfigurationError
from shop.web.trusted_proxy import FORWARDED_HEADERS, TrustedProxyMiddleware

SAYS = {
    "HTTP_X_FORWARDED_FOR": "203.0.113.7",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_EDGE_KEY": "/p/mug",
    "HTTP_FORWARDED": "for=203.0.113.7",
}


def seen(proxies, address, **said):
    """Return what the application behind sees."""
    found = {}
    environ = {"REMOTE_ADDR": address, "wsgi.url_scheme": "http", **said}
    TrustedProxyMiddleware(lambda environ, start: found.update(environ) or [], proxies)(environ, lambda *_: None)
    return found


@pytest.mark.parametrize("proxies", ["10.1.2.3", "10.0.0.0/8", "192.0.2.1, 10.1.2.3", "fd00::/8,10.0.0.0/8"])
def test_a_proxy_of_ours_is_believed(proxies):
    found = seen(proxies, "10.1.2.3", **SAYS)
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"]) == ("203.0.113.7", "https")
    assert found["HTTP_X_EDGE_KEY"] == "/p/mug"


@pytest.mark.parametrize("address", ["192.0.2.9", "", "unix:", "::1"])
@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8", " , "])
def test_anybody_else_is_not(proxies, address):
    found = seen(proxies, address, **SAYS)
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"]) == (address, "http")
    assert not set(FORWARDED_HEADERS) & set(found)


def test_a_proxy_that_says_nothing_is_the_client():
    found = seen("127.0.0.1", "127.0.0.1")
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"]) == ("127.0.0.1", "http")


def test_invalid_proxy_network_is_refused():
    with pytest.raises(ConfigurationError, match="SHOP_TRUSTED_PROXIES"):
        TrustedProxyMiddleware(lambda *_: [], "localhost")
