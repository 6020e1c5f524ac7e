"""Makes the state directory, and checks that this user can write there, before a server starts."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from shop.errors import ConfigurationError
from shop.settings import Settings
from shop.stack import log_rotation


def prepare_directories(settings: Settings) -> None:
    """Make ``var`` and the folders that the stack needs in it, and check that this user can write there.

    A file of another user is refused, except to root: root may use every file, but other users cannot use the files
    that root makes.

    Raises:
        ConfigurationError: the user cannot write there.
    """
    try:
        for directory in (settings.var_dir, settings.log_dir, settings.run_dir):
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                pass
        if user := os.geteuid():
            foreign = next((path for path in settings.var_dir.glob("*/*") if path.lstat().st_uid != user), None)
            if foreign is not None:
                raise PermissionError(errno.EPERM, "another user has run the stack here", str(foreign))
        log_rotation.rotate_all_logs(settings.log_dir)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write to {settings.var_dir} ({error.strerror}): correct its owner and rights, free some space,"
            " or set SHOP_VAR_DIR to a directory of yours."
        ) from None


@contextmanager
def explain_permission_errors(settings: Settings) -> Iterator[None]:
    """Turn the error about another user's file in ``var`` into one clear line.

    Raises:
        ConfigurationError: a file could not be used.
    """
    try:
        yield
    except PermissionError as error:
        raise ConfigurationError(
            f"Cannot use {error.filename or settings.var_dir}: another user ran the stack here before;"
            " run it as that user, or set SHOP_VAR_DIR to a directory of yours."
        ) from None
