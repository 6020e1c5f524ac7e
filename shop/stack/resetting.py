"""``bin/shop reset``: deletes the data of the stack's own servers, and keeps the work of its user.

Each folder is renamed before it is deleted. A reset that was killed so leaves a folder whole or not at all; the next
reset deletes the renamed rest.
"""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from shop.errors import ConfigurationError
from shop.settings import Settings, variable
from shop.stack.state import StackState
from shop.stack.var_usage import folder_size

DELETED_FOLDERS: Mapping[str, str] = MappingProxyType(
    {
        "pg": "the database: catalogue, accounts, carts, orders, switches",
        "payments": "the payments provider's books",
        "broker": "waiting messages",
        "cache": "the cache's entries",
        "edge": "responses cached by nginx",
    }
)
"""Folder of ``var`` to its content. All other folders stay, also unknown ones."""
KEPT_DATA = "exercises and their progress, results of experiments (var/lab), logs and secrets"
DELETING_SUFFIX = ".going"
EXTERNAL_ADDRESSES = ("cache_url", "broker_url", "payments_url")


@dataclass(frozen=True)
class ResetPart:
    """One folder that a reset deletes.

    Args:
        name: in ``var``.
        bytes: its size.
        holds: its content, in words.
    """

    name: str
    bytes: int
    holds: str


def require_resettable(settings: Settings, state: StackState) -> None:
    """Refuse a reset in the production profile, and of data that does not belong to this stack.

    Args:
        settings: of the command.
        state: of the stack, which may have been started with other settings.

    Raises:
        ConfigurationError: it is the production profile, the user set the database, or a folder is a link.
    """
    if not settings.is_lab:
        raise ConfigurationError("`bin/shop reset` deletes the store's data: it is offered in the lab profile only.")
    if settings.database_url is not None or (state.is_running and "database_url" in state.external):
        raise ConfigurationError(
            "DATABASE_URL is set: this stack has not made that database, and does not delete it. Unset it, or empty"
            " that database yourself and start the store."
        )
    linked = [name for name in DELETED_FOLDERS if (settings.var_dir / name).is_symlink()]
    if linked:
        raise ConfigurationError(
            f"{settings.var_dir / linked[0]} is a link to another place: delete the data there yourself."
        )


def find_parts(var: Path) -> tuple[ResetPart, ...]:
    """Return the existing folders that a reset deletes."""
    present = [name for name in DELETED_FOLDERS if (var / name).is_dir()]
    return tuple(ResetPart(name, folder_size(var / name), DELETED_FOLDERS[name]) for name in present)


def external_server_variables(settings: Settings) -> list[str]:
    """Return the variables of the external servers, whose data stays."""
    return [variable(name) for name in EXTERNAL_ADDRESSES if getattr(settings, name) is not None]


def delete_parts(var: Path, notes: Iterable[str]) -> None:
    """Delete the data folders. The stack must be stopped, and its lock held.

    Args:
        var: the state directory.
        notes: files in it that refer to the deleted data.

    Raises:
        OSError: a folder or file could not be deleted.
    """
    for name in DELETED_FOLDERS:
        folder, renamed = var / name, var / f"{name}{DELETING_SUFFIX}"
        _delete(renamed)
        if folder.is_dir():
            folder.rename(renamed)
            _delete(renamed)
    for note in notes:
        (var / note).unlink(missing_ok=True)


def _delete(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
