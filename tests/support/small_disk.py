"""A disk that a test can fill: a small file system in memory, mounted for it."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHUNK = bytes(64 * 1024)


class SmallDisk:
    """A file system of its own, on Linux and for root; a plain directory elsewhere, which :attr:`bounded` tells.

    Args:
        prefix: of the directory's name.
        megabytes: how much it holds.
    """

    def __init__(self, prefix: str, megabytes: int) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=prefix))
        self.bounded = sys.platform == "linux" and os.geteuid() == 0 and self._mount(megabytes)
        self.home.chmod(0o755)  # PostgreSQL runs as another account when root is asking

    def _mount(self, megabytes: int) -> bool:
        options = f"size={megabytes}m"
        asked = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.home], capture_output=True)
        return asked.returncode == 0  # a container may forbid it

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.home / "filler").open("ab", buffering=0) as filler:
            for chunk in (CHUNK, b"0"):
                try:
                    while filler.write(chunk):
                        pass
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """Give back what was filled."""
        (self.home / "filler").unlink(missing_ok=True)

    def remove(self) -> None:
        """Leave nothing of it."""
        if self.bounded:
            subprocess.run(["umount", "--lazy", self.home], check=True)
        shutil.rmtree(self.home)
