"""Trusted proxies: ``X-Forwarded-*`` headers count only if a known proxy sent them.

Any client can write ``X-Forwarded-For``. From an unknown address the middleware drops such headers, so no code after
it can take them for facts. From a known proxy they become the request's own address and scheme. The edge writes them
anew, so there is one hop and one value to read. The edge passes ``Host`` on unchanged, so no header for it is needed.
"""

import ipaddress
from collections.abc import Callable, Iterable
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
    # The caller's own time limit: with it, a stranger could end payments half-way as often as she likes.
    "HTTP_X_DEADLINE_MS",
)


def proxy_check(proxies: str) -> Callable[[str], bool]:
    """Return a function that tells whether an address is a trusted proxy's.

    Args:
        proxies: addresses or networks of the trusted proxies, separated by commas.

    Raises:
        ConfigurationError: one of them is no address and no network.
    """
    try:
        networks = [ipaddress.ip_network(proxy.strip()) for proxy in proxies.split(",") if proxy.strip()]
    except ValueError as error:
        raise ConfigurationError(f"SHOP_TRUSTED_PROXIES: {error}; write addresses or networks.") from None

    @lru_cache(maxsize=256)
    def is_trusted(remote_address: str) -> bool:
        try:
            address = ipaddress.ip_address(remote_address)
        except ValueError:
            return False  # a unix socket has no IP address
        return any(address in network for network in networks)

    return is_trusted


class TrustedProxyMiddleware:
    """WSGI middleware that accepts forwarded headers from trusted proxies and drops them from other clients.

    Args:
        inner: the application.
        proxies: addresses or networks of the trusted proxies, separated by commas.

    Raises:
        ConfigurationError: one of them is no address and no network.
    """

    def __init__(self, inner: "WSGIApplication", proxies: str) -> None:
        self._inner = inner
        self._is_trusted = proxy_check(proxies)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR") or environ["REMOTE_ADDR"]
            environ["wsgi.url_scheme"] = environ.get("HTTP_X_FORWARDED_PROTO") or environ["wsgi.url_scheme"]
        else:
            for name in FORWARDED_HEADERS:
                environ.pop(name, None)
        return self._inner(environ, start_response)
