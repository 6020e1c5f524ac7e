"""Publishes the static files for nginx: under their hash, each plain and compressed."""

import gzip
import shutil
from pathlib import Path

from shop.atomic_files import atomic_write
from shop.settings import PROJECT_ROOT
from shop.web.folder_hash import tree_hash

READABLE_BY_ALL = 0o644
"""Mode of the published files: nginx may run as another account."""
STATIC = PROJECT_ROOT / "shop" / "web" / "static"


def publish(source: Path, home: Path) -> Path:
    """Copy the static files into the directories that nginx serves, and delete the files of other releases.

    Returns:
        The directory with both codings.
    """
    version = tree_hash(source)
    published = home / "published"
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        name = path.relative_to(source)
        _replace(published / "identity" / "assets" / version / name, path.read_bytes())
        _replace(published / "gzip" / "assets" / version / name, gzip.compress(path.read_bytes(), 9, mtime=0))
    for coding in ("identity", "gzip"):
        for old in (published / coding / "assets").iterdir():
            if old.name != version:
                shutil.rmtree(old)
    return published


def _replace(path: Path, body: bytes) -> None:
    """Replace a file as a whole, because nginx may read it at any moment, and set its date to zero.

    nginx makes a file's validator from its date and size. With a constant date the validator is the same on every host
    and after every start. A file with other bytes has another URL, or, compressed, another size.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, body, mode=READABLE_BY_ALL, modified_at=0)
