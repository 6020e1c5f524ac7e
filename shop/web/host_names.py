"""What the store is called: a request for any other host is not answered.

Problem: a name of an attacker's can be made to lead to this machine (DNS rebinding). The attacker's page is then of the
same origin as the store, which every check of origins believes. And what is built from ``Host`` is built from a
stranger's word.
Method: the names are those of the settings, and this machine's own, which nobody can take away from it. In the lab also
every address of digits and every name without a period: containers and machines on a desk are called so, and no
attacker can own one. The port is not compared: a container's differs from the one outside.
Source: RFC 9110, 7.4 (rejecting misdirected requests) and 15.5.20 (421); OWASP, "Host header injection".
"""

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shop.errors import MisdirectedRequest
from shop.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

UNNAMED = ("", "_")
"""HTTP/1.0 need not name a host; the edge then says ``_``."""
RESERVED = (".localhost", ".test")
"""Names that can never be somebody's (RFC 6761)."""


class HostNames:
    """Tells whether a request is for this store.

    Args:
        settings: the public address, further names, and the profile.
    """

    def __init__(self, settings: Settings) -> None:
        addresses = (settings.public_address, settings.payments_webhook_address)
        further = (name.strip() for name in settings.allowed_hosts.split(","))
        self._names = {
            "localhost",
            *(urlsplit(address).hostname or "" for address in addresses if address),
            *(host_name(name) for name in (settings.host, *further)),
        }
        self._is_lab = settings.is_lab
        self.is_ours = lru_cache(maxsize=256)(self._is_ours)

    def check(self, environ: "WSGIEnvironment") -> None:
        """Refuse a request for another host.

        Raises:
            MisdirectedRequest: it is.
        """
        if not self.is_ours(environ.get("HTTP_HOST", "")):
            raise MisdirectedRequest("This store is not called that. Ask for it by its own address.")

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        if name in UNNAMED or name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return self._is_lab and ("." not in name or name.endswith(RESERVED))
        return self._is_lab or address.is_loopback


def host_name(host: str) -> str:
    """Return the name in a ``Host`` header: without the port, in lower case."""
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")
