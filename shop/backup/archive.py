"""The backup file: a ZIP archive with one member for each table, in COPY's format, and a manifest."""

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
"""Version of the file format; a reader refuses any other."""
MANIFEST = "manifest.json"
COMPRESSION_LEVEL = 1
"""The lowest level compresses a database's text to a fifth, the highest to a sixth."""


@dataclass(frozen=True, slots=True)
class TableCopy:
    """One table of a backup."""

    name: str
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """The contents of a backup.

    Args:
        revision: the revision of the schema.
        taken_at: the moment of the snapshot.
        tables: the tables, each after the tables that its foreign keys refer to.
        sequences: each sequence's name and last value; ``None`` for an unused sequence.
    """

    revision: str
    taken_at: datetime
    tables: tuple[TableCopy, ...]
    sequences: dict[str, int | None]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of the manifest file."""
        return {**asdict(self), "format": FORMAT, "taken_at": self.taken_at.isoformat()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "BackupManifest":
        """Read the JSON of the manifest file.

        Raises:
            KeyError, TypeError, ValueError: :meth:`to_json` did not write the document.
        """
        tables = tuple(TableCopy(table["name"], tuple(table["columns"]), table["rows"]) for table in document["tables"])
        taken_at = datetime.fromisoformat(document["taken_at"])
        return cls(document["revision"], taken_at, tables, dict(document["sequences"]))

    @property
    def rows(self) -> int:
        """Return the number of rows in all tables."""
        return sum(table.rows for table in self.tables)


def member_name(table: str) -> str:
    """Return the name of the archive member with a table's rows."""
    return f"tables/{table}"


@contextmanager
def create_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a new archive. It is written to a temporary file and then linked to its path; only the owner can read it.

    Raises:
        ConfigurationError: the file exists, or its directory is not writable.
    """
    if path.exists():
        raise ConfigurationError(f"{path} exists, and a backup overwrites nothing: name another file, or move it away.")
    temporary = path.with_name(f".{path.name}.making")
    try:
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive:
                yield archive
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # a link fails if the path exists; a rename would overwrite it
    except FileExistsError:
        raise ConfigurationError(f"{path} exists, and a backup overwrites nothing: name another file.") from None
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write {path} ({error.strerror}): name a file in a directory of yours."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def open_archive(path: Path) -> Iterator[tuple[zipfile.ZipFile, BackupManifest]]:
    """Open an archive for reading.

    Raises:
        ConfigurationError: the file does not exist, is of another format version, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, _read_manifest(path, archive)
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path} ({error.strerror}).") from None
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise ConfigurationError(f"{path} is not a backup of the store, or it is damaged: {error}.") from None


def _read_manifest(path: Path, archive: zipfile.ZipFile) -> BackupManifest:
    try:
        document = json.loads(archive.read(MANIFEST))
        if document["format"] != FORMAT:
            raise ConfigurationError(f"{path} is a backup of format {document['format']}; this code reads {FORMAT}.")
        return BackupManifest.from_json(document)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{path} has a manifest that cannot be read: {error}.") from None
