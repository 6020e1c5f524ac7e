"""Secrets the stack makes for itself: each in a file that only its owner reads, made once and kept."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from shop.errors import ConfigurationError

SECRET_BYTES = 32
MODE = 0o600


def new_secret() -> str:
    """Return 256 random bits in letters that need no quoting: in an address, a configuration file or SQL."""
    return secrets.token_urlsafe(SECRET_BYTES)


def kept_secret(path: Path) -> str:
    """Return the secret kept in a file; made the first time.

    Raises:
        ConfigurationError: the file belongs to another user.
    """
    try:
        if not path.exists() or not path.stat().st_size:
            write_private(path, new_secret())
        return path.read_text(encoding="utf-8")
    except PermissionError:
        raise ConfigurationError(f"Cannot read {path}: it is another user's; remove it to make a new one.") from None


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read; a reader sees the old text or the new one, whole.

    The file belongs to the owner of its directory, also where root writes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f"{path.name}.making")
    with suppress(FileNotFoundError):
        making.unlink()
    with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8") as out:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
        out.write(text)
    making.replace(path)
