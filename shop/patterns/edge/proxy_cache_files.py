"""nginx's store of answers, seen from outside: one file a key.

nginx has no directive to purge in its open-source build. But it opens the file anew for each answer, and where there is
none it asks the application: deleting the file is a purge, and the next request fills it again. A file begins with the
head of the answer, and in that stands when the edge asked for it.
Source: nginx's documentation of ``proxy_cache_path``: a file is named by the MD5 of its key, in a directory named by
the last characters of that.
"""

import hashlib
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

LEVEL_CHARS = 2
"""``levels=2`` in the configuration."""
USE_EFFECTIVE_IDS = os.access in os.supports_effective_ids
"""access(2) asks for the real user, and forgets the capability by which a stack that root started passes the folders
above; with the effective ids it is asked for the process as it acts."""
MIN_FREE_BYTES = 1024 * 1024
"""Free on the disk, as ``deploy/nginx/room.js`` asks for it."""
HEAD_BYTES = 16 * 1024
"""Read of a file for the head of its answer: the key before it and the head take 8 KiB each at most."""
_ASKED = re.compile(rb"\r\nX-Edge-Asked: (\d+(?:\.\d+)?)\r\n")
_ANSWER = re.compile(r"[0-9a-f]{32}")
"""A file that is still being written has a number behind this: nginx would miss it when it is done."""


class PurgeIncomplete(OSError):
    """Some answers could not be deleted and are served on; all the others were.

    Args:
        deleted: how many were deleted.
        errors: one for each file or directory that refused.
    """

    def __init__(self, deleted: int, errors: Sequence[OSError]) -> None:
        super().__init__(f"{len(errors)} answers could not be deleted: {errors[0].strerror}")
        self.deleted = deleted


class ProxyCacheFiles:
    """The files of one edge.

    Args:
        home: the directory that ``proxy_cache_path`` names.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._closed = home.with_name(f"{home.name}.closed")

    @property
    def fault(self) -> str:
        """Why nothing can be kept; empty where it can, or where nginx has not begun to."""
        if not self._home.exists():
            return ""
        if not (self._home.is_dir() and os.access(self._home, os.W_OK | os.X_OK, effective_ids=USE_EFFECTIVE_IDS)):
            return "nothing can be kept: the store may not be written to"
        found = os.statvfs(self._home)
        return "nothing can be kept: the disk is full" if found.f_bavail * found.f_frsize < MIN_FREE_BYTES else ""

    @property
    def is_bypassed(self) -> bool:
        """Tell whether the edge passes everything by."""
        return self._closed.exists()

    def enable_bypass(self) -> None:
        """Have the edge pass everything by, what it holds too, until :meth:`open`.

        Raises:
            OSError: it goes on serving.
        """
        self._closed.touch()

    def disable_bypass(self) -> None:
        """Let the edge keep and serve again.

        Raises:
            OSError: it goes on passing everything by.
        """
        self._closed.unlink(missing_ok=True)

    def path(self, key: str) -> Path:
        """Return where the answer of a key is kept."""
        name = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
        return self._home / name[-LEVEL_CHARS:] / name

    def purge(self, keys: Iterable[str]) -> int:
        """Delete the answers of some keys; return how many there were.

        Raises:
            FilesKept: some of them are still there.
        """
        return _FileSweep().delete(self.path(key) for key in keys)

    def purge_outdated(self, until: Mapping[str, float]) -> int:
        """Delete the answers of some keys, where they were asked for too early; return how many were.

        Args:
            until: unix time in seconds for each key: what was asked for by then is deleted.

        Raises:
            FilesKept: some of them are still there.
        """
        paths = ((self.path(key), moment) for key, moment in until.items())
        return _FileSweep().delete(path for path, moment in paths if _requested_at(path) <= moment)

    def flush(self, until: float = math.inf) -> int:
        """Delete every answer that was asked for by ``until``, unix time in seconds; return how many there were.

        Raises:
            FilesKept: some of them are still there.
        """
        sweep = _FileSweep()
        files = (file for level in sweep.entries(self._home) for file in sweep.entries(level))
        return sweep.delete(file for file in files if until == math.inf or _requested_at(file) <= until)


class _FileSweep:
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
            raise PurgeIncomplete(deleted, self._errors)
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


def _requested_at(path: Path) -> float:
    """Return when the edge asked for an answer, in unix time; 0 where it does not say, or cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            found = _ASKED.search(file.read(HEAD_BYTES))
    except OSError:
        return 0.0
    return float(found[1]) if found else 0.0
