"""Load is for this machine's own store and nobody else's."""

import ipaddress
from urllib.parse import urlsplit

from shop.errors import ConfigurationError


def check_loopback(url: str) -> str:
    """Return the address without a trailing slash, if it names this machine.

    Raises:
        ConfigurationError: it is no http address, or names another machine.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{url!r} is not an address such as http://127.0.0.1:8080.")
    if not _is_loopback(parts.hostname):
        raise ConfigurationError(
            f"{parts.hostname} is another machine: load is offered to 127.0.0.1, ::1 or localhost only."
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
