"""Addresses of simulated clients: each connects from its own, as clients of a real store do.

Problem: the store limits how many writes a client may send in a minute (``shop/web/rate_limits.py``), and a guest is
known by her address only. A hundred simulated guests at 127.0.0.1 would be one client.
Method: on Linux, every address of 127.0.0.0/8 belongs to this machine, so a client can bind its connections to one of
them. Other systems have 127.0.0.1 only: there, all guests are one client.
Source: RFC 1122, 3.2.1.3 (g).
"""

import random
import ssl
import sys
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx

from shop.errors import ConfigurationError
from shop.lab.loopback import check_loopback

SWITCH = "overload.rate_limit"
GUESTS_OF_ONE_ADDRESS = 60
"""A guest fills a cart, checks out and cancels; so many guests of several arms stay below the default limit."""


def can_simulate_clients() -> bool:
    """Return whether this system lets each simulated client have an address."""
    return sys.platform == "linux"


def require_clients(count: int, read_switches: Callable[[], Mapping[str, str]]) -> None:
    """Check that the store will not take so many simulated guests for one client and refuse it.

    Args:
        count: number of guests.
        read_switches: returns the values of the store's switches.

    Raises:
        ConfigurationError: it would.
    """
    if can_simulate_clients() or count <= GUESTS_OF_ONE_ADDRESS or read_switches().get(SWITCH, "off") == "off":
        return
    raise ConfigurationError(
        f"{count} guests need addresses of their own, and only Linux has more than 127.0.0.1: here, the store limits"
        f" them as one client. Run `bin/shop switch set {SWITCH} off` first."
    )


def new_source_address(base_url: str) -> str | None:
    """Return an address for one more simulated client of a store; ``None`` if it must use the machine's usual one.

    Args:
        base_url: the store's address; a store on ``::1`` cannot be reached from an IPv4 address.
    """
    if not can_simulate_clients() or ":" in (urlsplit(base_url).hostname or ""):
        return None
    return draw_address(random.Random())


def draw_address(rng: random.Random) -> str:
    """Return a loopback address outside 127.0.0.0/16, where the servers of the stack listen.

    Two of 16 million clients have the same by rare chance.
    """
    return f"127.{rng.randint(1, 254)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"


def require_addresses(base_url: str) -> None:
    """Check that each simulated client can have an address of its own.

    Raises:
        ConfigurationError: this system has no more than one, or the store cannot be reached from them.
    """
    if new_source_address(base_url) is None:
        raise ConfigurationError(
            "Each client needs an address of its own: that takes Linux, and a store at an IPv4 address."
        )


def simulated_client(
    base_url: str, timeout_s: float, verify: ssl.SSLContext | None = None, address: str | None = None
) -> httpx.Client:
    """Return an HTTP client with an address of its own.

    Args:
        base_url: the store's address.
        timeout_s: of each request.
        verify: the TLS context; a new one by default.
        address: its address; a new one by default.

    Raises:
        ConfigurationError: the store is on another machine.
    """
    checked = check_loopback(base_url)
    source = address or new_source_address(checked)
    transport = httpx.HTTPTransport(verify=verify or True, trust_env=False, local_address=source)
    return httpx.Client(base_url=checked, timeout=timeout_s, trust_env=False, transport=transport)
