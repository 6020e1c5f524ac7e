"""Giving up root: a stack that root starts becomes the account its data belongs to, before anything of it runs.

That is the owner of ``var/pg``, or of ``var``, or ``nobody`` on a first start. Of root it keeps at most the right to
read and to pass through directories (``CAP_DAC_READ_SEARCH``), since the checkout may stand under ``/root``.
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
MARKS = ("run/stack.json", "run/stack.lock", "pg/PG_VERSION", "secret_key")
"""What shows that a directory is a stack's, and not just some directory of root's."""

IMPORTED = ("alembic.command", "gunicorn.workers.gthread", "shop.app", "shop.payments.simulator.app", "shop.worker")
"""What the servers and the step before them load."""


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """A user and a group, by their numbers: not every one has a name."""

    uid: int
    gid: int

    @classmethod
    def owning(cls, path: Path) -> "ServerAccount":
        """Return whose a file or directory is."""
        found = path.stat()
        return cls(found.st_uid, found.st_gid)

    @classmethod
    def of_servers(cls, var_dir: Path) -> "ServerAccount":
        """Return as whom the servers of a state directory run where root starts them."""
        for path in (var_dir / "pg", var_dir):
            if path.exists() and (owner := cls.owning(path)).uid != 0:
                return owner
        entry = pwd.getpwnam(UNPRIVILEGED)
        return cls(entry.pw_uid, entry.pw_gid)


def become_unprivileged(settings: Settings, words: Sequence[str], say: Callable[[str], None]) -> None:
    """Run this very command as the account of the servers, where root has started it; else return.

    Args:
        settings: where the state is; it is given to that account.
        words: of the command, behind ``shop``.
        say: takes a line about each server that is stopped first.

    Raises:
        ConfigurationError: the state directory is not a stack's, or the account cannot reach the checkout.
    """
    os.umask(UMASK)
    if os.geteuid() != 0:
        return
    account = ServerAccount.of_servers(settings.var_dir)
    _stop_what_root_runs(settings, say)
    hand_over(settings.var_dir, account)
    compile_sources()
    command = (sys.executable, "-P", "-m", "shop.cli", *words)
    if as_account := words_of(account):
        os.execv(as_account[0], (*as_account, *command))  # noqa: S606 - no shell: the words are our own
    os.setgroups([])
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    for path in (PROJECT_ROOT / "shop", Path(sys.executable)):
        if not os.access(path, os.R_OK | os.X_OK):
            raise ConfigurationError(
                f"The servers do not run as root, and as account {account.uid} they cannot read {path}: move the"
                " checkout to where others may read, or start it as an ordinary user."
            )


def words_of(account: ServerAccount) -> tuple[str, ...]:
    """Return the words in front of a command that make root another account; none where there is no ``setpriv``."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    words = (setpriv, f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "--no-new-privs")
    if not _has_kept_capability():  # as in a container with fewer
        return (*words, "--")
    return (*words, f"--inh-caps=-all,+{KEPT_CAPABILITY}", f"--ambient-caps=-all,+{KEPT_CAPABILITY}", "--")


def hand_over(var_dir: Path, account: ServerAccount) -> None:
    """Give root's files in a state directory to the account that will use them, and close them to all others.

    Symbolic links are not followed, and files of several names are left alone: root gives away only what is here.

    Raises:
        ConfigurationError: the directory holds something else.
    """
    var_dir.mkdir(parents=True, exist_ok=True)
    is_ours = var_dir == PROJECT_ROOT / "var" or any((var_dir / mark).exists() for mark in MARKS)
    if not is_ours and any(var_dir.iterdir()):
        if ServerAccount.owning(var_dir).uid == 0:
            raise ConfigurationError(f"SHOP_VAR_DIR={var_dir} holds other things of root's: name an empty directory.")
        return
    _give(str(var_dir), None, account)
    for _, directories, files, descriptor in os.fwalk(var_dir, follow_symlinks=False):
        for name in (*directories, *files):
            _give(name, descriptor, account)


def compile_sources() -> None:
    """Compile what the servers import: their account cannot write beside root's sources, and would do it at each start.

    Of the store's own code, what has changed; of the libraries, what is imported, unless their installer has done that.
    """
    if sys.dont_write_bytecode:
        return
    compileall.compile_dir(PROJECT_ROOT / "shop", quiet=2)
    if not Path(cache_from_source(_of_a_library())).exists():
        subprocess.run([sys.executable, "-P", "-c", f"import {', '.join(IMPORTED)}"], cwd="/", check=False)


def _of_a_library() -> str:
    """Return a file of a library that every web server imports; it is found, and not loaded."""
    found = find_spec("gunicorn")
    return str(found.origin) if found and found.origin else __file__


def _give(name: str, directory: int | None, account: ServerAccount) -> None:
    """Give one file or directory away through its descriptor: no name can lead elsewhere meanwhile."""
    try:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:  # a symbolic link, or nothing that holds data
        os.chown(name, account.uid, account.gid, dir_fd=directory, follow_symlinks=False)
        return
    try:
        found = os.fstat(opened)
        if found.st_uid == 0 and (stat.S_ISDIR(found.st_mode) or found.st_nlink == 1):
            os.fchown(opened, account.uid, account.gid)
            os.fchmod(opened, stat.S_IMODE(found.st_mode) & ~UMASK)
    finally:
        os.close(opened)


def _stop_what_root_runs(settings: Settings, say: Callable[[str], None]) -> None:
    """Stop what root's own stack, of an earlier version, left running: the account could not."""
    if belongs_to_root(settings):
        state = StateFile(settings.run_dir)
        with state.exclusively():
            stop_leftovers(state, say)


def belongs_to_root(settings: Settings) -> bool:
    """Tell whether the last stack here was root's, as those of earlier versions were."""
    path = StateFile(settings.run_dir).path
    return path.exists() and ServerAccount.owning(path).uid == 0


def _has_kept_capability() -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return False
    permitted = next((line.split()[1] for line in status.splitlines() if line.startswith("CapPrm:")), "0")
    return bool(int(permitted, 16) >> _KEPT_BIT & 1)
