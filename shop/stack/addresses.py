"""Where the servers are, for any command of this checkout: what was set, else what the running stack noted down."""

import secrets

from shop.errors import ConfigurationError
from shop.settings import Settings
from shop.stack.state import StateFile

ADDRESSES = ("database_url", "cache_url", "broker_url", "payments_url")
SECRET_BYTES = 32


def resolve(settings: Settings) -> Settings:
    """Fill in the addresses that are not set from the running stack.

    Raises:
        ConfigurationError: no database is set and no stack runs.
    """
    state = StateFile(settings.run_dir).load()
    known = state.urls if state.runs else {}
    missing = {name: known[name] for name in ADDRESSES if getattr(settings, name) is None and name in known}
    if "payments_url" in missing:
        missing |= payments_secrets(settings)
    found = settings.model_copy(update=missing)
    if found.database_url is None:
        raise ConfigurationError("The stack is not running: start it with `shop up`, or set DATABASE_URL.")
    return found


def web_url(settings: Settings) -> str:
    """Return the store's own address: where the running stack serves it, else where the settings say it would."""
    state = StateFile(settings.run_dir).load()
    if state.runs and state.web_url:
        return state.web_url
    return f"http://{settings.host}:{settings.port}"


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
    return settings.secret_key or _kept(settings, "secret_key")


def payments_secrets(settings: Settings) -> dict[str, str]:
    """Return what the store and its own simulator know each other by; made the first time and kept, as the key is.

    Raises:
        ConfigurationError: the kept ones belong to another user.
    """
    names = ("payments_api_key", "payments_webhook_secret")
    return {name: getattr(settings, name) or _kept(settings, name) for name in names}


def _kept(settings: Settings, name: str) -> str:
    path = settings.var_dir / name
    try:
        path.touch(mode=0o600)
        if not path.stat().st_size:
            path.write_text(secrets.token_urlsafe(SECRET_BYTES))
        return path.read_text()
    except PermissionError:
        raise ConfigurationError(f"Cannot read {path}: it is another user's; remove it to make a new one.") from None
