"""Refuses to load any machine but this one."""

import ipaddress
from urllib.parse import urlsplit

from shop.errors import ConfigurationError


def check_loopback(url: str) -> str:
    """Return the address without a trailing slash, if it names this machine.

    Raises:
        ConfigurationError: the text is no http address, or it names another machine.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"{url!r} is not an address such as http://127.0.0.1:8080.")
    try:
        loopback = ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        loopback = parts.hostname.lower() == "localhost"
    if not loopback:
        raise ConfigurationError(
            f"{parts.hostname} is another machine: the lab loads only 127.0.0.1, ::1 and localhost."
        )
    return url.rstrip("/")
