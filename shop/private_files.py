"""Files that one account alone may read, written whole."""

import os
import secrets
from pathlib import Path

MODE = 0o600


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read; a reader sees the old text or the new one, whole.

    The file belongs to the owner of its directory, also where root writes it: root's commands and servers that run as
    another account share a directory. No link is followed that somebody may have put in its place.
    """
    making = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8") as out:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(out.fileno(), owner.st_uid, owner.st_gid)
        out.write(text)
    making.replace(path)
