"""Drops root privileges: a stack that root starts runs as another account from the start.

That account is the owner of ``var/pg``, else the owner of ``var``, or ``nobody`` at the first start. The only right of
root that it may keep is to enter directories and to read files (``CAP_DAC_READ_SEARCH``), because the checkout may be
under ``/root``.
"""

import compileall
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import cache_from_source, find_spec
from pathlib import Path

from shop.errors import ConfigurationError
from shop.settings import PROJECT_ROOT, Settings
from shop.stack.down import stop_leftovers
from shop.stack.state import StateFile

UNPRIVILEGED = "nobody"
UMASK = 0o077
KEPT_CAPABILITY = "dac_read_search"
_KEPT_BIT = 2
"""``CAP_DAC_READ_SEARCH`` in the kernel's masks (capability.h)."""
STACK_FILES = ("run/stack.json", "run/stack.lock", "pg/PG_VERSION", "secret_key")
"""A directory with one of these files is a stack's, and not some other directory of root's."""
FILES_BEFORE_START = frozenset({"exercises", "exercises.json", "exercises.lock", "lab"})
"""The commands of exercises and experiments write these, also before the first start of the stack."""

SERVER_MODULES = (
    "alembic.command",
    "gunicorn.workers.gthread",
    "shop.app",
    "shop.payments.simulator.app",
    "shop.worker",
)
"""The modules that the servers, and the step for schema and data, load."""
COMPILED_LIBRARY = "gunicorn"
"""Every web server imports it: if it is compiled, the installer has compiled all libraries."""


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """A user and a group, by their numbers: a container's user may have no name."""

    uid: int
    gid: int

    @classmethod
    def owning(cls, path: Path) -> "ServerAccount":
        """Return the owner of a file or directory."""
        status = path.stat()
        return cls(status.st_uid, status.st_gid)

    @classmethod
    def of_servers(cls, var_dir: Path) -> "ServerAccount":
        """Return the account of a state directory's servers when root starts them."""
        for path in (var_dir / "pg", var_dir):
            if path.exists() and (owner := cls.owning(path)).uid != 0:
                return owner
        entry = pwd.getpwnam(UNPRIVILEGED)
        return cls(entry.pw_uid, entry.pw_gid)


def drop_privileges(settings: Settings, arguments: Sequence[str], print_line: Callable[[str], None]) -> None:
    """Run this command as the account of the servers if root has started it; else return.

    If an earlier version left servers of root running, they are stopped first: the account could not stop them.

    Args:
        settings: with the state directory, which that account will own.
        arguments: of the command, after ``shop``.
        print_line: is called with a line about each server that is stopped first.

    Raises:
        ConfigurationError: the state directory is not a stack's, or the account cannot reach the checkout.
    """
    os.umask(UMASK)
    if os.geteuid() != 0:
        return
    account = ServerAccount.of_servers(settings.var_dir)
    if was_started_by_root(settings):
        state = StateFile(settings.run_dir)
        with state.hold_lock():
            stop_leftovers(state, print_line)
    change_owner(settings.var_dir, account)
    compile_sources()
    command = (sys.executable, "-P", "-m", "shop.cli", *arguments)
    if prefix := setpriv_command(account):
        os.execv(prefix[0], (*prefix, *command))  # noqa: S606 - no shell: the words are our own
    os.setgroups([])
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    for path in (PROJECT_ROOT / "shop", Path(sys.executable)):
        if not os.access(path, os.R_OK | os.X_OK):
            raise ConfigurationError(
                f"The servers do not run as root, and as account {account.uid} they cannot read {path}: move the"
                " checkout to a directory that others may read, or start it as an ordinary user."
            )


def setpriv_command(account: ServerAccount) -> tuple[str, ...]:
    """Return the prefix that runs a command of root as another account; empty on a system without ``setpriv``."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    prefix = (setpriv, f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "--no-new-privs")
    if not _has_kept_capability():  # as in a container with fewer capabilities
        return (*prefix, "--")
    return (*prefix, f"--inh-caps=-all,+{KEPT_CAPABILITY}", f"--ambient-caps=-all,+{KEPT_CAPABILITY}", "--")


def change_owner(var_dir: Path, account: ServerAccount) -> None:
    """Give root's files in a state directory to an account, and remove the rights of all other users.

    Symbolic links are not followed, and files with several hard links are left alone: both may lead out of the
    directory.

    Args:
        var_dir: the state directory.
        account: the account of the servers.

    Raises:
        ConfigurationError: the directory contains other files of root's.
    """
    var_dir.mkdir(parents=True, exist_ok=True)
    if not _is_state_dir(var_dir) and any(var_dir.iterdir()):
        if ServerAccount.owning(var_dir).uid == 0:
            raise ConfigurationError(f"SHOP_VAR_DIR={var_dir} has other files of root's: name an empty directory.")
        return
    _change_owner_of(str(var_dir), None, account)
    for _, directories, files, descriptor in os.fwalk(var_dir, follow_symlinks=False):
        for name in (*directories, *files):
            _change_owner_of(name, descriptor, account)


def _is_state_dir(var_dir: Path) -> bool:
    """Return whether a directory is a stack's, or has nothing but what commands write before the first start."""
    if var_dir == PROJECT_ROOT / "var" or any((var_dir / name).exists() for name in STACK_FILES):
        return True
    names = {path.name for path in var_dir.iterdir()}
    return bool(names) and names <= FILES_BEFORE_START


def compile_sources() -> None:
    """Compile the modules of the servers. Their account cannot write beside root's sources: it would compile each time.

    The changed modules of the store are compiled, and the imported libraries unless their installer has compiled them.
    """
    if sys.dont_write_bytecode:
        return
    compileall.compile_dir(PROJECT_ROOT / "shop", quiet=2)
    library = find_spec(COMPILED_LIBRARY)  # finds it, does not load it
    if library is None or library.origin is None or not Path(cache_from_source(library.origin)).exists():
        subprocess.run([sys.executable, "-P", "-c", f"import {', '.join(SERVER_MODULES)}"], cwd="/", check=False)


def _change_owner_of(name: str, directory: int | None, account: ServerAccount) -> None:
    """Change the owner of one file or directory through its descriptor: a link could replace a name meanwhile."""
    try:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:  # a symbolic link, or no file with data
        os.chown(name, account.uid, account.gid, dir_fd=directory, follow_symlinks=False)
        return
    try:
        status = os.fstat(opened)
        if status.st_uid == 0 and (stat.S_ISDIR(status.st_mode) or status.st_nlink == 1):
            os.fchown(opened, account.uid, account.gid)
            os.fchmod(opened, stat.S_IMODE(status.st_mode) & ~UMASK)
    finally:
        os.close(opened)


def was_started_by_root(settings: Settings) -> bool:
    """Return whether root's processes were the last stack here, as in earlier versions."""
    path = StateFile(settings.run_dir).path
    return path.exists() and ServerAccount.owning(path).uid == 0


def _has_kept_capability() -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    permitted = next((line.split()[1] for line in status.splitlines() if line.startswith("CapPrm:")), "0")
    return bool(int(permitted, 16) >> _KEPT_BIT & 1)
