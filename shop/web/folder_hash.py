"""One hash over a folder of files, for URLs that browsers may cache for ever."""

import hashlib
from pathlib import Path

HASH_CHARS = 12


def tree_hash(folder: Path) -> str:
    """Return a hash over the names and contents of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:HASH_CHARS]


def asset_path(version: str, filename: str) -> str:
    """Return the path of a static file.

    Args:
        version: hash over all static files.
        filename: the file's path below the static folder.
    """
    return f"/assets/{version}/{filename}"
