"""A fresh start: what the stack's own servers hold goes, and what its user made stays.

Each folder is renamed before it is deleted, so that a reset that was killed leaves a folder whole or not at all; the
next one deletes what was left under the other name.
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

GOES: Mapping[str, str] = MappingProxyType(
    {
        "pg": "the database: catalogue, accounts, carts, orders, switches",
        "payments": "the payments provider's books",
        "broker": "messages that wait",
        "cache": "what the cache keeps",
        "edge": "answers nginx keeps",
    }
)
"""Folder of ``var`` to what is lost with it. Everything else there stays, also what is not known here."""
STAYS = "exercises and their progress, results of experiments (var/lab), logs and secrets"
GOING = ".going"
ELSEWHERE = ("cache_url", "broker_url", "payments_url")


@dataclass(frozen=True)
class ResetPart:
    """One folder that goes.

    Args:
        name: in ``var``.
        bytes: what lies in it.
        holds: what is lost with it.
    """

    name: str
    bytes: int
    holds: str


def require_resettable(settings: Settings, state: StackState) -> None:
    """Refuse where the data is not this stack's own, or not there to be played with.

    Args:
        settings: as the command was called with.
        state: of the stack, which may have been started with other settings.

    Raises:
        ConfigurationError: it is the production profile, or the database is somebody's own.
    """
    if not settings.is_lab:
        raise ConfigurationError("`shop reset` throws the store's data away: it is offered in the lab profile only.")
    if settings.database_url is not None or (state.runs and "database_url" in state.outside):
        raise ConfigurationError(
            "DATABASE_URL is set: that database is not one this stack made, and is not thrown away from here. Unset it,"
            " or empty that database yourself and start the store."
        )
    linked = [name for name in GOES if (settings.var_dir / name).is_symlink()]
    if linked:
        raise ConfigurationError(
            f"{settings.var_dir / linked[0]} is a link to somewhere else: delete what is there yourself."
        )


def find_parts(var: Path) -> tuple[ResetPart, ...]:
    """Return what is there and goes."""
    there = [name for name in GOES if (var / name).is_dir()]
    return tuple(ResetPart(name, folder_size(var / name), GOES[name]) for name in there)


def servers_elsewhere(settings: Settings) -> list[str]:
    """Return the variables that lead to servers of somebody's own, whose data stays."""
    return [variable(name) for name in ELSEWHERE if getattr(settings, name) is not None]


def delete_parts(var: Path, notes: Iterable[str]) -> None:
    """Delete what goes. The stack must be stopped, and its lock held.

    Args:
        var: the directory everything is kept in.
        notes: files in it that speak of the data that goes.

    Raises:
        OSError: something could not be deleted.
    """
    for name in GOES:
        folder, going = var / name, var / f"{name}{GOING}"
        _delete(going)
        if folder.is_dir():
            folder.rename(going)
            _delete(going)
    for note in notes:
        (var / note).unlink(missing_ok=True)


def _delete(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
