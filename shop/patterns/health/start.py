"""What a process asks of its cache and its broker before it serves."""

import logging
from urllib.parse import urlsplit

from shop.patterns.health.checks import TIMEOUT_S
from shop.patterns.health.server_faults import CheckFailed, UnfitServer, configuration_error
from shop.patterns.health.valkey_server import eviction_fault, try_valkey
from shop.settings import AMQP_SCHEMES, Settings, variable

_log = logging.getLogger(__name__)


def require_usable(settings: Settings, *names: str) -> None:
    """Make sure that no server a process leans on is one it can never use.

    One that is away, full, or refuses the password is left to readiness: it may come back, and the store serves on. A
    cache that will refuse to write once it is full is warned of.

    Args:
        settings: where the addresses are.
        names: the fields, such as ``cache_url``; one that is not set is passed over.

    Raises:
        ConfigurationError: a server runs in a mode the store cannot use, such as that of a cluster.
    """
    for name in names:
        address = getattr(settings, name)
        if address is None or urlsplit(address).scheme in AMQP_SCHEMES:
            continue
        try:
            try_valkey(address, TIMEOUT_S)
        except UnfitServer as fault:
            raise configuration_error(name, address, fault) from None
        except CheckFailed as fault:
            _log.warning("server_not_well", extra={"variable": variable(name), "fault": str(fault)})
        if name == "cache_url" and (unfit := eviction_fault(address, TIMEOUT_S)):
            _log.warning("cache_unfit", extra={"variable": variable(name), "fault": unfit})
