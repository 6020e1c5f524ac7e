"""nginx's store of answers, seen from outside: one file a key.

nginx has no directive to purge in its open-source build. But it opens the file anew for each answer, and where there is
none it asks the application: deleting the file is a purge, and the next request fills it again.
Source: nginx's documentation of ``proxy_cache_path``: a file is named by the MD5 of its key, in a directory named by
the last characters of that.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

LEVEL_CHARS = 2
"""``levels=2`` in the configuration."""
_ANSWER = re.compile(r"[0-9a-f]{32}")
"""A file that is still being written has a number behind this: nginx would miss it when it is done."""


class Store:
    """The files of one edge.

    Args:
        home: the directory that ``proxy_cache_path`` names.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def path(self, key: str) -> Path:
        """Return where the answer of a key is kept."""
        name = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
        return self._home / name[-LEVEL_CHARS:] / name

    def purge(self, keys: Iterable[str]) -> int:
        """Delete the answers of some keys; return how many there were."""
        return sum(_delete(self.path(key)) for key in keys)

    def flush(self) -> int:
        """Delete every answer; return how many there were."""
        return sum(_delete(Path(entry.path)) for level in _entries(self._home) for entry in _entries(Path(level.path)))


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []  # nothing was kept yet


def _delete(path: Path) -> bool:
    if not _ANSWER.fullmatch(path.name):
        return False
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
