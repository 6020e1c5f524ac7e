"""Host names of the store: a request for any other host is refused.

Problem: an attacker can point a name of his own to this machine (DNS rebinding). His page then has the same origin as
the store, and every check of origins passes. And a URL that is built from ``Host`` would contain a stranger's text.
Method: allowed are the names in the settings and this machine's own, which no attacker can own. The lab also allows
every IP address and every name without a period: containers and local machines have such names, and no attacker can own
one. The port is not compared: inside a container it differs from the one outside.
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
"""An HTTP/1.0 request may have no host; the edge then sends ``_``."""
RESERVED = (".localhost", ".test")
"""Names that cannot be registered (RFC 6761)."""


class HostNames:
    """The host names under which the store answers.

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
            MisdirectedRequest: the host is not the store's.
        """
        if not self.is_ours(environ.get("HTTP_HOST", "")):
            raise MisdirectedRequest("This store has another address. Use its own address.")

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
    """Return the name in a ``Host`` header, without the port and in lower case."""
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")
