"""What lies in ``var``, part by part, and how large each part can get."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from shop.patterns.observability.json_lines import MAX_BYTES
from shop.settings import Settings
from shop.stack.log_bounds import LOG_KEPT_BYTES

MB = 1_000_000
STORE_BYTES = 256 * 1024 * 1024
"""What nginx keeps of answers, as its configuration says."""
GROWS_WITH: Mapping[str, str] = {
    "broker": "messages that wait",
    "cache": "nothing: it lives in memory",
    "edge": "the store's own static files",
    "lab": "experiments that are run",
    "payments": "charges, as a provider's books do",
    "pg": "orders and the catalogue",
    "run": "nothing: it says what runs",
}
"""What a part without a bound grows with."""


@dataclass(frozen=True)
class VarPart:
    """One folder of ``var``."""

    name: str
    bytes: int
    bound_bytes: int | None
    """``None``: it grows with what is kept in it."""
    grows_with: str = ""


@dataclass(frozen=True)
class VarUsage:
    """The whole of ``var``."""

    path: str
    free_bytes: int
    """Left on its disk."""
    parts: tuple[VarPart, ...]

    def lines(self) -> list[str]:
        """Write it for people; no line begins with the name of a server, by which scripts find its line."""
        rows = [f"var: {self.free_bytes / MB:,.0f} MB free on its disk"]
        return rows + [f"  {'var/' + part.name:<15} {part.bytes / MB:>9,.1f} MB  {_bound(part)}" for part in self.parts]


def measure(settings: Settings) -> VarUsage | None:
    """Measure every part; ``None`` where there is no ``var`` yet."""
    var, store = settings.var_dir, settings.edge_dir / "store"
    if not var.is_dir():
        return None
    parts = [_part(folder, store) for folder in sorted(var.iterdir()) if folder.is_dir()]
    if store.is_dir():
        parts.append(VarPart("edge/store", folder_size(store), STORE_BYTES))
    return VarUsage(str(var), shutil.disk_usage(var).free, tuple(sorted(parts, key=lambda part: part.name)))


def to_dict(usage: VarUsage | None) -> dict[str, object] | None:
    """Return it as ``shop status --json`` prints it."""
    return None if usage is None else asdict(usage)


def _part(folder: Path, store: Path) -> VarPart:
    size = folder_size(folder, without=store)
    if folder.name == "log":
        return VarPart("log", size, _bound_of_logs(folder))
    return VarPart(folder.name, size, None, GROWS_WITH.get(folder.name, "what is put there"))


def _bound_of_logs(folder: Path) -> int:
    """Return what the logs that are there can grow to: each twice its bound, with the one put aside."""
    lines = {path.name.split(".")[0] for path in folder.glob("*.jsonl")}
    said = {path.name.split(".")[0] for path in folder.glob("*.log")}
    return 2 * (len(lines) * MAX_BYTES + len(said) * LOG_KEPT_BYTES)


def folder_size(folder: Path, without: Path | None = None) -> int:
    """Return the bytes of all files below a folder, as far as this user may look."""
    total = 0
    for directory, folders, files in os.walk(folder):
        if without is not None and Path(directory) == without.parent and without.name in folders:
            folders.remove(without.name)
        for name in files:
            with suppress(OSError):  # it went while we looked
                total += os.lstat(os.path.join(directory, name)).st_size
    return total


def _bound(part: VarPart) -> str:
    return (
        f"at most {part.bound_bytes / MB:,.0f} MB" if part.bound_bytes is not None else f"grows with {part.grows_with}"
    )
