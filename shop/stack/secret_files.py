"""Secrets that the stack generates: each is stored in a file that only its owner can read."""

import secrets
from pathlib import Path

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError

SECRET_BYTES = 32


def new_secret() -> str:
    """Return 256 random bits as letters that need no quoting in an address, a configuration file or SQL."""
    return secrets.token_urlsafe(SECRET_BYTES)


def load_or_create_secret(path: Path) -> str:
    """Return the secret in a file; the first call generates and stores it.

    Raises:
        ConfigurationError: the file belongs to another user.
    """
    try:
        if not path.exists() or not path.stat().st_size:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, new_secret())
        return path.read_text(encoding="utf-8")
    except PermissionError:
        raise ConfigurationError(
            f"Cannot read {path}: it belongs to another user; delete it, and the stack makes a new one."
        ) from None
