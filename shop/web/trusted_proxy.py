"""What a proxy in front says of the request, believed only from a proxy that is known.

Anybody can write ``X-Forwarded-For``. From an address that is not one of ours such headers are dropped, so nothing
further in can take them for facts; from one that is, they become the request's own address and scheme. The edge writes
them anew, so there is one hop and one value to read. ``Host`` is passed on unchanged and needs no twin.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from shop.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORWARDED_HEADERS = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_FORWARDED",
    "HTTP_X_REAL_IP",
    "HTTP_X_EDGE_KEY",
    "HTTP_X_EDGE_ASKED",
    "HTTP_X_EDGE_HOLDS",
    # How long the caller waits: from a stranger, a way to have a payment given up half-way, as often as she likes.
    "HTTP_X_DEADLINE_MS",
)


class TrustedProxyMiddleware:
    """Surrounds the application; sorts out what may be believed.

    Args:
        inner: the application.
        proxies: addresses or networks, separated by commas, of the proxies that are ours.

    Raises:
        ConfigurationError: one of them is neither.
    """

    def __init__(self, inner: "WSGIApplication", proxies: str) -> None:
        self._inner = inner
        networks = [_network(found.strip()) for found in proxies.split(",") if found.strip()]
        self._ours = lru_cache(maxsize=256)(lambda address: _within(address, networks))

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if self._ours(environ.get("REMOTE_ADDR", "")):
            environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR") or environ["REMOTE_ADDR"]
            environ["wsgi.url_scheme"] = environ.get("HTTP_X_FORWARDED_PROTO") or environ["wsgi.url_scheme"]
        else:
            for name in FORWARDED_HEADERS:
                environ.pop(name, None)
        return self._inner(environ, start_response)


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(written: str) -> Network:
    try:
        return ipaddress.ip_network(written)
    except ValueError as error:
        raise ConfigurationError(f"SHOP_TRUSTED_PROXIES: {error}; write addresses or networks.") from None


def _within(address: str, networks: list[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False  # a unix socket has none
    return any(found in network for network in networks)
