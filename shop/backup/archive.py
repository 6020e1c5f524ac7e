"""The file of a backup: a ZIP with one member a table, as COPY writes it, and a manifest."""

import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shop.errors import ConfigurationError

FORMAT = 1
"""Of the file; a reader refuses any other."""
MANIFEST = "manifest.json"
COMPRESSION_LEVEL = 1
"""Text of a database shrinks to a fifth at the cheapest level, and to a sixth at the dearest."""


@dataclass(frozen=True, slots=True)
class TableCopy:
    """One table of a backup."""

    name: str
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """What a backup holds.

    Args:
        revision: of the schema.
        taken_at: the moment whose state it holds.
        tables: in an order in which they can be filled: what is pointed to comes first.
        sequences: name to its last value; ``None`` for one that has given none yet.
    """

    revision: str
    taken_at: datetime
    tables: tuple[TableCopy, ...]
    sequences: dict[str, int | None]

    def to_json(self) -> dict[str, Any]:
        """Return it as it is written."""
        return {**asdict(self), "format": FORMAT, "taken_at": self.taken_at.isoformat()}

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "BackupManifest":
        """Read it as it was written.

        Raises:
            KeyError, TypeError, ValueError: it was not written by :meth:`to_json`.
        """
        tables = tuple(TableCopy(one["name"], tuple(one["columns"]), one["rows"]) for one in found["tables"])
        return cls(found["revision"], datetime.fromisoformat(found["taken_at"]), tables, dict(found["sequences"]))

    @property
    def rows(self) -> int:
        """Return how many rows it holds in all."""
        return sum(table.rows for table in self.tables)


def member_name(table: str) -> str:
    """Return the name under which a table's rows are in the file."""
    return f"tables/{table}"


@contextmanager
def create_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a new file, written aside and moved to its place when it is whole, readable by its owner alone.

    Raises:
        ConfigurationError: there is such a file already, or it cannot be written there.
    """
    if path.exists():
        raise ConfigurationError(f"{path} exists, and a backup overwrites nothing: name another file, or move it away.")
    making = path.with_name(f".{path.name}.making")
    try:
        making.unlink(missing_ok=True)
        with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive:
                yield archive
            out.flush()
            os.fsync(out.fileno())
        os.link(making, path)  # unlike a rename it overwrites nothing, not even what came a moment ago
    except FileExistsError:
        raise ConfigurationError(f"{path} exists, and a backup overwrites nothing: name another file.") from None
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write {path} ({error.strerror}): name a file in a directory of yours."
        ) from None
    finally:
        making.unlink(missing_ok=True)


@contextmanager
def open_archive(path: Path) -> Iterator[tuple[zipfile.ZipFile, BackupManifest]]:
    """Open a backup.

    Raises:
        ConfigurationError: there is none, it is of another version, or it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, _manifest(path, archive.read(MANIFEST))
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path} ({error.strerror}).") from None
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise ConfigurationError(f"{path} is no backup of the store, or it is damaged: {error}.") from None


def _manifest(path: Path, written: bytes) -> BackupManifest:
    try:
        found = json.loads(written)
        if found["format"] != FORMAT:
            raise ConfigurationError(f"{path} is a backup of format {found['format']}; this code reads {FORMAT}.")
        return BackupManifest.from_json(found)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{path} has a manifest that cannot be read: {error}.") from None
