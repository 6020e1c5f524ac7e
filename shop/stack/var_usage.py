"""Disk usage of ``var``: the size of each folder, and its limit."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from shop.patterns.observability.json_lines import MAX_BYTES
from shop.settings import Settings
from shop.stack.log_rotation import MAX_LOG_BYTES

MB = 1_000_000
EDGE_STORE_BYTES = 256 * 1024 * 1024
"""The most that nginx caches, as its configuration says."""
GROWS_WITH: Mapping[str, str] = {
    "broker": "waiting messages",
    "cache": "nothing: its entries are in memory",
    "edge": "the store's own static files",
    "lab": "runs of experiments",
    "payments": "charges of the provider",
    "pg": "orders and the catalogue",
    "run": "nothing: the state of the stack",
}
"""Folder without a limit to the data that makes it grow."""


@dataclass(frozen=True)
class VarPart:
    """One folder of ``var``."""

    name: str
    bytes: int
    bound_bytes: int | None
    """The limit; ``None`` if it has none."""
    grows_with: str = ""


@dataclass(frozen=True)
class VarUsage:
    """The whole of ``var``."""

    path: str
    free_bytes: int
    """Free space on its disk."""
    parts: tuple[VarPart, ...]

    def lines(self) -> list[str]:
        """Return the usage as lines of text. No line begins with a server's name: scripts find its line by that."""
        rows = [f"var: {self.free_bytes / MB:,.0f} MB free on its disk"]
        for part in self.parts:
            limit = None if part.bound_bytes is None else f"at most {part.bound_bytes / MB:,.0f} MB"
            growth = limit or f"grows with {part.grows_with}"
            rows.append(f"  {'var/' + part.name:<15} {part.bytes / MB:>9,.1f} MB  {growth}")
        return rows


def measure(settings: Settings) -> VarUsage | None:
    """Measure every folder; ``None`` if there is no ``var`` yet."""
    var, store = settings.var_dir, settings.edge_dir / "store"
    if not var.is_dir():
        return None
    parts = []
    for folder in (path for path in var.iterdir() if path.is_dir()):
        size = folder_size(folder, without=store)
        if folder.name == "log":
            parts.append(VarPart("log", size, log_limit(folder)))
        else:
            parts.append(VarPart(folder.name, size, None, GROWS_WITH.get(folder.name, "the files put there")))
    if store.is_dir():
        parts.append(VarPart("edge/store", folder_size(store), EDGE_STORE_BYTES))
    return VarUsage(str(var), shutil.disk_usage(var).free, tuple(sorted(parts, key=lambda part: part.name)))


def to_dict(usage: VarUsage | None) -> dict[str, object] | None:
    """Return the usage as ``bin/shop status --json`` prints it."""
    return None if usage is None else asdict(usage)


def log_limit(folder: Path) -> int:
    """Return the most bytes that the present logs can have: twice the limit of each, for its rotated copy."""
    json_logs = {path.name.split(".")[0] for path in folder.glob("*.jsonl")}
    server_logs = {path.name.split(".")[0] for path in folder.glob("*.log")}
    return 2 * (len(json_logs) * MAX_BYTES + len(server_logs) * MAX_LOG_BYTES)


def folder_size(folder: Path, without: Path | None = None) -> int:
    """Return the bytes of all files below a folder that this user may see.

    Args:
        folder: the folder.
        without: a folder in it that does not count.
    """
    total = 0
    for directory, folders, files in os.walk(folder):
        if without is not None and Path(directory) == without.parent and without.name in folders:
            folders.remove(without.name)
        for name in files:
            with suppress(OSError):  # deleted meanwhile
                total += os.lstat(os.path.join(directory, name)).st_size
    return total
