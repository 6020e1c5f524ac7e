"""The check of cache and broker at the start of a process."""

import logging
from urllib.parse import urlsplit

from shop.patterns.health.checks import TIMEOUT_S
from shop.patterns.health.server_faults import CheckFailed, UnfitServer, configuration_error
from shop.patterns.health.valkey_server import eviction_fault, try_valkey
from shop.settings import AMQP_SCHEMES, Settings, variable

_log = logging.getLogger(__name__)


def require_usable(settings: Settings, *names: str) -> None:
    """Raise if the store can never use one of its servers.

    A server that is down or full, or refuses the password, is left to readiness: it may recover, and the store serves
    meanwhile. If a cache will refuse writes when it is full, a warning is logged.

    Args:
        settings: has the addresses.
        names: the fields, such as ``cache_url``; a field without address is skipped.

    Raises:
        ConfigurationError: a server runs in a mode that the store cannot use, such as a cluster.
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
