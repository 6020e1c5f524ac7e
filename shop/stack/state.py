"""The state of a stack, in ``var/run/stack.json``: its addresses, ports and processes.

The process that holds the lock writes the file whole and renames it into place; every command reads it. The file
outlives the stack: the next start uses the same ports, and finds the servers that a killed supervisor left running.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError
from shop.stack.process_identity import ProcessIdentity
from shop.stack.program import ServerProgram

Phase = Literal["starting", "ready", "stopped"]


@dataclass(frozen=True)
class ProcessRecord:
    """One server that the stack runs."""

    pid: int
    created: float
    port: int
    stop_signal: int
    stop_timeout_s: float
    restarts: int = 0

    @classmethod
    def of(cls, pid: int, program: ServerProgram, restarts: int = 0) -> "ProcessRecord | None":
        """Return the record of a running process, or ``None`` if it has ended.

        Args:
            pid: its id.
            program: the program that it runs.
            restarts: how often the supervisor has restarted it.
        """
        identity = ProcessIdentity.of(pid)
        if identity is None:
            return None
        stop_signal = int(program.stop_signal)
        return cls(pid, identity.created, program.port, stop_signal, program.stop_timeout_s, restarts)

    @property
    def identity(self) -> ProcessIdentity:
        """Return the identity of the process."""
        return ProcessIdentity(self.pid, self.created)


@dataclass(frozen=True)
class StackState:
    """One stack, running or not."""

    phase: Phase = "stopped"
    supervisor: ProcessIdentity | None = None
    web_url: str = ""
    urls: dict[str, str] = field(default_factory=dict)
    """Settings field name to address. Every command and every server uses these."""
    external: tuple[str, ...] = ()
    """The fields of ``urls`` that the user set: the stack neither starts nor stops these external servers."""
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, ProcessRecord] = field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        """Return whether any process of this stack is alive."""
        supervised = self.supervisor is not None and self.supervisor.alive
        return supervised or any(record.identity.alive for record in self.processes.values())


class StateFile:
    """Reads and writes the state, and holds the lock of the stack.

    Args:
        run_dir: ``var/run``.
    """

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / "stack.json"
        self._lock_path = run_dir / "stack.lock"

    def load(self) -> StackState:
        """Return the stored state; an empty one if there is no file, or if a version wrote it that this cannot read.

        Raises:
            ConfigurationError: the file belongs to another user.
        """
        try:
            document = json.loads(self.path.read_text())
            supervisor, processes = document.pop("supervisor"), document.pop("processes")
            external = tuple(document.pop("outside"))
            return StackState(
                **document,
                external=external,
                supervisor=ProcessIdentity(**supervisor) if supervisor else None,
                processes={name: ProcessRecord(**record) for name, record in processes.items()},
            )
        except PermissionError as error:
            raise ConfigurationError(f"Cannot read {self.path}: the stack was started by another user.") from error
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return StackState()  # the stack can start without it

    def save(self, state: StackState) -> None:
        """Write the state; a reader sees the whole old or the whole new one. Addresses hold passwords: mode 0600."""
        document = asdict(state)
        document["outside"] = document.pop("external")  # the stored name of the field
        atomic_write(self.path, json.dumps(document, indent=1))

    def update(self, **changes: object) -> StackState:
        """Change some fields of the stored state and return it."""
        state = replace(self.load(), **changes)  # type: ignore[arg-type]  # callers name fields
        self.save(state)
        return state

    @contextmanager
    def hold_lock(self) -> Iterator[None]:
        """Hold the lock of this directory's stack during the block. The kernel releases it also after a kill -9.

        Raises:
            ConfigurationError: another process holds it.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._lock_path, flags, 0o600), "r+b") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                url = self.load().web_url
                raise ConfigurationError(
                    f"The stack of {self.path.parent.parent} already runs{f' at {url}' if url else ''};"
                    " `bin/shop status` shows it, `bin/shop down` stops it."
                ) from None
            yield
