"""nginx's store of answers, seen from outside: one file a key.

nginx has no directive to purge in its open-source build. But it opens the file anew for each answer, and where there is
none it asks the application: deleting the file is a purge, and the next request fills it again.
Source: nginx's documentation of ``proxy_cache_path``: a file is named by the MD5 of its key, in a directory named by
the last characters of that.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

LEVEL_CHARS = 2
"""``levels=2`` in the configuration."""
_ANSWER = re.compile(r"[0-9a-f]{32}")
"""A file that is still being written has a number behind this: nginx would miss it when it is done."""


class FilesKept(OSError):
    """Some answers could not be deleted and are served on; all the others were.

    Args:
        deleted: how many were deleted.
        errors: one for each file or directory that refused.
    """

    def __init__(self, deleted: int, errors: Sequence[OSError]) -> None:
        super().__init__(f"{len(errors)} answers could not be deleted: {errors[0].strerror}")
        self.deleted = deleted


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
        """Delete the answers of some keys; return how many there were.

        Raises:
            FilesKept: some of them are still there.
        """
        return _Sweep().delete(self.path(key) for key in keys)

    def flush(self) -> int:
        """Delete every answer; return how many there were.

        Raises:
            FilesKept: some of them are still there.
        """
        sweep = _Sweep()
        return sweep.delete(file for level in sweep.entries(self._home) for file in sweep.entries(level))


class _Sweep:
    """Deletes one file after the other: one that refuses does not save the others."""

    def __init__(self) -> None:
        self._errors: list[OSError] = []

    def entries(self, directory: Path) -> list[Path]:
        """Return what stands in a directory; nothing was kept yet where there is none."""
        try:
            return [Path(entry.path) for entry in os.scandir(directory)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._errors.append(error)
            return []

    def delete(self, paths: Iterable[Path]) -> int:
        """Delete the answers among some files; return how many there were, or raise :class:`FilesKept`."""
        deleted = sum(self._delete(path) for path in paths)
        if self._errors:
            raise FilesKept(deleted, self._errors)
        return deleted

    def _delete(self, path: Path) -> bool:
        if not _ANSWER.fullmatch(path.name):
            return False
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            self._errors.append(error)
            return False
        return True
