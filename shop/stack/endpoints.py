"""Where the servers are, for any command of this checkout: what was set, else what the running stack noted down."""

from shop.errors import ConfigurationError
from shop.settings import Settings
from shop.stack import postgres
from shop.stack.secret_files import kept_secret
from shop.stack.state import StateFile

ADDRESSES = ("database_url", "cache_url", "broker_url", "payments_url")


def resolve(settings: Settings, role: str | None = None) -> Settings:
    """Fill in the addresses that are not set from the running stack.

    Args:
        settings: as the user gave them.
        role: as whom the stack's own database is entered (see ``database_roles``), if not as its servers do. A database
            of the user's own has the role its address names.

    Raises:
        ConfigurationError: no database is set and no stack runs.
    """
    state = StateFile(settings.run_dir).load()
    known = state.urls if state.runs else {}
    missing = {name: known[name] for name in ADDRESSES if getattr(settings, name) is None and name in known}
    if role is not None and "database_url" in missing and "database_url" not in state.outside:
        missing["database_url"] = postgres.url(settings.var_dir / "pg", state.ports["postgres"], role=role)
    if "payments_url" in missing:
        missing |= payments_secrets(settings)
    found = settings.model_copy(update=missing)
    if found.database_url is None:
        raise ConfigurationError("The stack is not running: start it with `shop up`, or set DATABASE_URL.")
    return found


def web_url(settings: Settings) -> str:
    """Return where the running stack serves the store. A port alone says nothing: any server may listen on it.

    Raises:
        ConfigurationError: no stack of this checkout runs.
    """
    state = StateFile(settings.run_dir).load()
    if not state.runs or not state.web_url:
        raise ConfigurationError(
            f"No store runs from {settings.var_dir}: start it with `shop up`, or name the address of another."
        )
    return state.web_url


def metrics_url(settings: Settings) -> str:
    """Return where the running stack answers with its figures, else where the settings say it would."""
    state = StateFile(settings.run_dir).load()
    port = state.ports.get("metrics", settings.metrics_port) if state.runs else settings.metrics_port
    return f"http://127.0.0.1:{port}/metrics"


def edge_metrics_url(settings: Settings) -> str | None:
    """Return where the process beside the running stack's nginx answers with its figures; ``None`` where none runs."""
    state = StateFile(settings.run_dir).load()
    if not state.runs or "edge" not in state.processes:
        return None
    return f"http://127.0.0.1:{state.ports['worker']}/metrics"


def secret_key(settings: Settings) -> str:
    """Return the key that signs cookies; the lab profile makes one the first time and keeps it, readable by its owner.

    Raises:
        ConfigurationError: the kept one belongs to another user.
    """
    return settings.secret_key or kept_secret(settings.var_dir / "secret_key")


def payments_secrets(settings: Settings) -> dict[str, str]:
    """Return what the store and its own simulator know each other by; made the first time and kept, as the key is.

    Raises:
        ConfigurationError: the kept ones belong to another user.
    """
    names = ("payments_api_key", "payments_webhook_secret")
    return {name: getattr(settings, name) or kept_secret(settings.var_dir / name) for name in names}
