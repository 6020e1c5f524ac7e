"""The addresses of the servers, for any command of this checkout: from the settings, else from the running stack."""

from collections.abc import Mapping
from types import MappingProxyType

from shop.errors import ConfigurationError
from shop.settings import Settings
from shop.stack import postgres
from shop.stack.secret_files import load_or_create_secret
from shop.stack.state import StateFile

SERVERS: Mapping[str, str] = MappingProxyType(
    {"database_url": "postgres", "cache_url": "cache", "broker_url": "broker", "payments_url": "payments"}
)
"""Settings field of an address to the stack's own server, which is started if the address is not set."""


def resolve(settings: Settings, role: str | None = None) -> Settings:
    """Fill in the addresses that are not set from the running stack.

    Args:
        settings: the user's settings.
        role: the role in the stack's own database (see ``database_roles``), if not that of its servers. An address that
            the user has set names its own role.

    Raises:
        ConfigurationError: no database is set and no stack runs.
    """
    state = StateFile(settings.run_dir).load()
    known = state.urls if state.is_running else {}
    missing = {name: known[name] for name in SERVERS if getattr(settings, name) is None and name in known}
    if role is not None and "database_url" in missing and "database_url" not in state.external:
        missing["database_url"] = postgres.url(settings.var_dir / "pg", state.ports["postgres"], role=role)
    if "payments_url" in missing:
        missing |= payments_secrets(settings)
    resolved = settings.model_copy(update=missing)
    if resolved.database_url is None:
        raise ConfigurationError("The stack is not running: start it with `bin/shop up`, or set DATABASE_URL.")
    return resolved


def web_url(settings: Settings) -> str:
    """Return the address of the running stack's store. A port alone is not enough: any server may listen on it.

    Raises:
        ConfigurationError: no stack of this checkout runs.
    """
    state = StateFile(settings.run_dir).load()
    if not state.is_running or not state.web_url:
        raise ConfigurationError(
            f"No store runs from {settings.var_dir}: start it with `bin/shop up`, or give the address of another store."
        )
    return state.web_url


def metrics_url(settings: Settings) -> str:
    """Return the address of the running stack's metrics, else the one in the settings."""
    state = StateFile(settings.run_dir).load()
    port = state.ports.get("metrics", settings.metrics_port) if state.is_running else settings.metrics_port
    return f"http://127.0.0.1:{port}/metrics"


def edge_metrics_url(settings: Settings) -> str | None:
    """Return the address of the metrics of the process beside the running nginx; ``None`` if no nginx runs."""
    state = StateFile(settings.run_dir).load()
    if not state.is_running or "edge" not in state.processes:
        return None
    return f"http://127.0.0.1:{state.ports['worker']}/metrics"


def secret_key(settings: Settings) -> str:
    """Return the key that signs cookies. The lab profile generates one once and stores it in a file of its owner.

    Raises:
        ConfigurationError: the stored key belongs to another user.
    """
    return settings.secret_key or load_or_create_secret(settings.var_dir / "secret_key")


def payments_secrets(settings: Settings) -> dict[str, str]:
    """Return the secrets that the store and its simulator share; generated once and stored like the secret key.

    Raises:
        ConfigurationError: the stored secrets belong to another user.
    """
    names = ("payments_api_key", "payments_webhook_secret")
    return {name: getattr(settings, name) or load_or_create_secret(settings.var_dir / name) for name in names}
