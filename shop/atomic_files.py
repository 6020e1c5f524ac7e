"""Files that are replaced whole: a reader sees the old content or the new one, never half of it.

Method: write a temporary file beside the target, then rename it over the target (POSIX ``rename`` is atomic).
"""

import os
import secrets
from pathlib import Path

OWNER_ONLY = 0o600


def atomic_write(path: Path, content: str | bytes, *, mode: int = OWNER_ONLY, modified_at: float | None = None) -> None:
    """Replace a file by new content.

    The file belongs to the owner of its directory, also where root writes it: root's commands and servers that run as
    another account share a directory. The temporary file is new, so a link that somebody placed there is not followed.

    Args:
        path: of the file.
        content: its bytes, or text to be encoded as UTF-8.
        mode: its permissions, less those of the process's umask.
        modified_at: its date, in seconds since 1970; now by default.

    Raises:
        OSError: it cannot be written; the old file is unchanged, and the temporary file is removed.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            if os.geteuid() == 0:
                owner = path.parent.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(content.encode() if isinstance(content, str) else content)
        if modified_at is not None:
            os.utime(temporary, (modified_at, modified_at))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_directory(path: Path) -> None:
    """Make a directory, and those above it that are missing; each belongs to the owner of the one that contains it.

    Without that, a directory that root's command makes is closed to the store's servers, which run as another account.

    Args:
        path: of the directory; it may exist.

    Raises:
        OSError: it cannot be made.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
