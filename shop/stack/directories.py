"""The directory everything is kept in, made and tried before anything is started."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from shop.errors import ConfigurationError
from shop.settings import Settings
from shop.stack import log_bounds


def make(settings: Settings) -> None:
    """Make ``var`` and what the stack needs in it, and make sure that this user can write there.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        for directory in (settings.var_dir, settings.log_dir, settings.run_dir):
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                pass
        _require_own(settings)
        log_bounds.put_aside_all(settings.log_dir)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write to {settings.var_dir} ({error.strerror}): mend its owner and rights, free some space,"
            " or set SHOP_VAR_DIR to a directory of yours."
        ) from None


def _require_own(settings: Settings) -> None:
    """Refuse to build on what another user left: root may use anything, and what root makes, nobody else can use."""
    if os.geteuid() == 0:
        return
    strange = [path for path in settings.var_dir.glob("*/*") if path.lstat().st_uid != os.geteuid()]
    if strange:
        raise PermissionError(errno.EPERM, "another user has run the stack here", str(strange[0]))


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Turn a file in ``var`` that another user made into one clear line.

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
