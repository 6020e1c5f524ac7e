"""What a stack knows of itself, in ``var/run/stack.json``.

Written whole and renamed into place, by the one process that holds the lock; read by every command. It outlives the
stack: the ports are used again, and what an abruptly killed stack left behind is found here.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Literal

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError
from shop.stack.process_identity import ProcessIdentity

Phase = Literal["starting", "ready", "stopped"]


@dataclass(frozen=True)
class ProcessRecord:
    """One server the stack runs."""

    pid: int
    created: float
    port: int
    stop_signal: int
    stop_timeout_s: float
    restarts: int = 0

    @property
    def identity(self) -> ProcessIdentity:
        """Return which process it is."""
        return ProcessIdentity(self.pid, self.created)


@dataclass(frozen=True)
class StackState:
    """One stack, running or not."""

    phase: Phase = "stopped"
    supervisor: ProcessIdentity | None = None
    web_url: str = ""
    urls: dict[str, str] = field(default_factory=dict)
    """Settings field name to address: what every command and every server uses."""
    outside: tuple[str, ...] = ()
    """The fields of ``urls`` that the user set: servers we neither start nor stop."""
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, ProcessRecord] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Tell whether anything of this stack is alive."""
        supervised = self.supervisor is not None and self.supervisor.alive
        return supervised or any(record.identity.alive for record in self.processes.values())


class StateFile:
    """Reads and writes the state, and says who may.

    Args:
        run_dir: ``var/run``.
    """

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / "stack.json"
        self._lock_path = run_dir / "stack.lock"

    def load(self) -> StackState:
        """Return what was last written; an empty state where there is none, or none that can be read."""
        try:
            found = json.loads(self.path.read_text())
            supervisor, processes = found.pop("supervisor"), found.pop("processes")
            return StackState(
                **{**found, "outside": tuple(found["outside"])},
                supervisor=ProcessIdentity(**supervisor) if supervisor else None,
                processes={name: ProcessRecord(**record) for name, record in processes.items()},
            )
        except PermissionError as error:
            raise ConfigurationError(f"Cannot read {self.path}: the stack was started by another user.") from error
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return StackState()  # from an older version, or none: there is nothing in it we cannot do without

    def save(self, state: StackState) -> None:
        """Write the state; a reader sees the old one or the new one, whole. Addresses hold passwords: mode 0600."""
        atomic_write(self.path, json.dumps(asdict(state), indent=1))

    def update(self, **changes: object) -> StackState:
        """Write the state with some fields changed and return it."""
        state = replace(self.load(), **changes)  # type: ignore[arg-type]  # callers name fields
        self.save(state)
        return state

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the stack of this directory for as long as the block runs. The kernel lets go even after a kill -9.

        Raises:
            ConfigurationError: another process holds it.
        """
        with self._open_lock() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError(self._held()) from None
            yield

    def _held(self) -> str:
        state = self.load()
        where = f" at {state.web_url}" if state.web_url else ""
        return (
            f"The stack of {self.path.parent.parent} already runs{where}; `shop status` shows it, `shop down` stops it."
        )

    def _open_lock(self) -> IO[bytes]:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(self._lock_path, flags, 0o600), "r+b")
