"""A disk that a test can fill: a small file system in memory."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHUNK = bytes(64 * 1024)


class SmallDisk:
    """A separate file system, on Linux and for root; elsewhere a plain directory, then :attr:`bounded` is false.

    Args:
        prefix: of the directory's name.
        megabytes: its size.
    """

    def __init__(self, prefix: str, megabytes: int) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=prefix))
        self.bounded = sys.platform == "linux" and os.geteuid() == 0 and self._mount(megabytes)
        self.home.chmod(0o755)  # PostgreSQL runs as another account if root runs the tests

    def _mount(self, megabytes: int) -> bool:
        options = f"size={megabytes}m"
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.home], capture_output=True)
        return mount.returncode == 0  # a container may forbid it

    def fill(self) -> None:
        """Fill it to the last byte."""
        with (self.home / "filler").open("ab", buffering=0) as filler:
            for chunk in (CHUNK, b"0"):
                try:
                    while filler.write(chunk):
                        pass
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """Delete the filling."""
        (self.home / "filler").unlink(missing_ok=True)

    def remove(self) -> None:
        """Unmount and delete it."""
        if self.bounded:
            subprocess.run(["umount", "--lazy", self.home], check=True)
        shutil.rmtree(self.home)
