"""Who a client is as long as only its address is known: for rate limits, and for lanes before a request is parsed.

In IPv6 a client is the network of 64 bits that a household or a server usually has. Behind the edge, the address is the
one that the edge wrote into ``X-Forwarded-For``; from anybody else that header proves nothing.
Source: RFC 4291, 2.5.4; docs/adr/0024-the-queue-is-ours.md.
"""

import ipaddress
import re
from collections.abc import Callable

FORWARDED_FOR = re.compile(rb"\r\nx-forwarded-for[ \t]*:[ \t]*([0-9a-f.:]+)[ \t]*\r\n", re.IGNORECASE)


def address_client(address: str) -> str:
    """Return the client of a request without a known token. Pure.

    Args:
        address: of the other end of the connection; a unix socket has none, and all its clients are one.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "address:none"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return f"address:{ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64))}"
        parsed = parsed.ipv4_mapped
    return f"address:{parsed}"


def client_of_head(head: bytes, peer: str, is_trusted: Callable[[str], bool]) -> str:
    """Return the client of a request that has not been parsed. Pure.

    Args:
        head: its first bytes, as far as they have arrived.
        peer: the address of the other end of the connection.
        is_trusted: tells whether an address is a trusted proxy's.
    """
    if is_trusted(peer):
        end = head.find(b"\r\n\r\n")
        found = FORWARDED_FOR.search(head, 0, len(head) if end < 0 else end + 2)
        peer = found[1].decode() if found else peer
    return address_client(peer)
