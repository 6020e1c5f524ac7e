"""nginx's proxy cache as files: one file for each cache key.

nginx's open-source build has no directive to purge. But nginx opens the file of a cached response for each request, and
without the file it asks the application. So the deletion of the file is a purge, and the next request fills the cache
again. A file begins with the head of the response, which names the time of the edge's request.
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
"""access(2) checks the real user, and ignores the capability by which a stack started by root passes the directories
above. With the effective ids it checks the process."""
MIN_FREE_BYTES = 1024 * 1024
"""Free bytes on the disk, as ``deploy/nginx/room.js`` requires them."""
HEAD_BYTES = 16 * 1024
"""Bytes read of a file to find the head of its response: the key before it and the head take 8 KiB each at most."""
_REQUESTED_AT = re.compile(rb"\r\nX-Edge-Asked: (\d+(?:\.\d+)?)\r\n")
_FILE_NAME = re.compile(r"[0-9a-f]{32}")
"""A file that nginx is still writing has a number after its name, and nginx would miss it at the end."""


class PurgeIncomplete(OSError):
    """Some responses could not be deleted and are still served. All other responses were deleted.

    Args:
        deleted: number of deleted responses.
        errors: one for each file or directory that could not be deleted or read.
    """

    def __init__(self, deleted: int, errors: Sequence[OSError]) -> None:
        super().__init__(f"{len(errors)} responses could not be deleted: {errors[0].strerror}")
        self.deleted = deleted


class ProxyCacheFiles:
    """The cached responses of one edge.

    Args:
        home: the directory that ``proxy_cache_path`` names.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._bypass_file = home.with_name(f"{home.name}.closed")

    @property
    def fault(self) -> str:
        """Why nginx can cache nothing; empty if it can, or has not begun to."""
        if not self._home.exists():
            return ""
        if not (self._home.is_dir() and os.access(self._home, os.W_OK | os.X_OK, effective_ids=USE_EFFECTIVE_IDS)):
            return "nothing can be cached: the cache directory is not writable"
        disk = os.statvfs(self._home)
        return "nothing can be cached: the disk is full" if disk.f_bavail * disk.f_frsize < MIN_FREE_BYTES else ""

    @property
    def is_bypassed(self) -> bool:
        """Return whether nginx bypasses its cache."""
        return self._bypass_file.exists()

    def enable_bypass(self) -> None:
        """Let nginx neither store nor serve cached responses until :meth:`disable_bypass`.

        Raises:
            OSError: nginx goes on serving them.
        """
        self._bypass_file.touch()

    def disable_bypass(self) -> None:
        """Let nginx use its cache again.

        Raises:
            OSError: nginx still bypasses its cache.
        """
        self._bypass_file.unlink(missing_ok=True)

    def path(self, key: str) -> Path:
        """Return the file of a key's response."""
        name = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
        return self._home / name[-LEVEL_CHARS:] / name

    def purge(self, keys: Iterable[str]) -> int:
        """Delete the responses of some keys; return the number of deleted responses.

        Raises:
            PurgeIncomplete: some responses could not be deleted.
        """
        return _FileSweep().delete(self.path(key) for key in keys)

    def purge_outdated(self, requested_by: Mapping[str, float]) -> int:
        """Delete the responses of some keys that were requested too early; return the number of deleted responses.

        Args:
            requested_by: unix time in seconds for each key: a response requested by then is deleted.

        Raises:
            PurgeIncomplete: some responses could not be deleted.
        """
        limits = ((self.path(key), limit) for key, limit in requested_by.items())
        return _FileSweep().delete(path for path, limit in limits if _requested_at(path) <= limit)

    def flush(self, requested_by: float = math.inf) -> int:
        """Delete every response requested by a unix time in seconds; return the number of deleted responses.

        Raises:
            PurgeIncomplete: some responses could not be deleted.
        """
        sweep = _FileSweep()
        files = (file for level in sweep.entries(self._home) for file in sweep.entries(level))
        return sweep.delete(file for file in files if requested_by == math.inf or _requested_at(file) <= requested_by)


class _FileSweep:
    """Deletes many files; an error at one file does not stop the others."""

    def __init__(self) -> None:
        self._errors: list[OSError] = []

    def entries(self, directory: Path) -> list[Path]:
        """Return the entries of a directory; none without a directory, since nginx makes it with its first response."""
        try:
            return [Path(entry.path) for entry in os.scandir(directory)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._errors.append(error)
            return []

    def delete(self, paths: Iterable[Path]) -> int:
        """Delete the responses among some files; return how many there were, or raise :class:`PurgeIncomplete`."""
        deleted = 0
        for path in paths:
            if _FILE_NAME.fullmatch(path.name):
                try:
                    path.unlink()
                    deleted += 1
                except (FileNotFoundError, NotADirectoryError):
                    pass  # nginx deleted it, or never stored it
                except OSError as error:
                    self._errors.append(error)
        if self._errors:
            raise PurgeIncomplete(deleted, self._errors)
        return deleted


def _requested_at(path: Path) -> float:
    """Return when the edge requested a response, in unix time; 0 if the file does not say, or cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            header = _REQUESTED_AT.search(file.read(HEAD_BYTES))
    except OSError:
        return 0.0
    return float(header[1]) if header else 0.0
