"""The stack's own PostgreSQL without the rest of the stack, for a command that needs it while the store is down."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from shop.errors import ConfigurationError
from shop.settings import Settings
from shop.stack import directories, ports, postgres
from shop.stack.database_roles import OWNER
from shop.stack.down import stop_leftovers
from shop.stack.program import ServerProgram
from shop.stack.state import ProcessRecord, StateFile

START_TIMEOUT_S = 30.0
LOOK_EVERY_S = 0.05


@contextmanager
def database_alone(settings: Settings) -> Iterator[Settings]:
    """Run PostgreSQL for the block, on a free port, and stop it; no stack can start here meanwhile.

    Yields:
        The settings with its address, as the database's owner.

    Raises:
        ConfigurationError: the stack runs, or PostgreSQL cannot be started.
    """
    directories.make(settings)
    state = StateFile(settings.run_dir)
    with directories.explained(settings), state.exclusively():
        stop_leftovers(state, lambda said: None)
        data_dir = settings.var_dir / "pg"
        postgres.initialise(data_dir)
        port = ports.choose(("postgres",), state.load().ports)["postgres"]
        program = postgres.program(data_dir, port)
        log = settings.log_dir / "postgres.log"
        with log.open("ab") as out:
            server = subprocess.Popen(program.argv, stdout=out, stderr=out, cwd="/", start_new_session=True)
        state.update(processes={program.name: _record(server.pid, program)})  # so that `shop down` finds it in any case
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not program.healthy():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise ConfigurationError(f"PostgreSQL did not start; {log} says why.")
                time.sleep(LOOK_EVERY_S)
            postgres.ensure_database(data_dir, port)
            yield settings.model_copy(update={"database_url": postgres.url(data_dir, port, role=OWNER)})
        finally:
            server.send_signal(program.stop_signal)
            server.wait(program.stop_timeout_s)
            state.update(processes={})


def _record(pid: int, program: ServerProgram) -> ProcessRecord:
    created = psutil.Process(pid).create_time()
    return ProcessRecord(pid, created, program.port, int(program.stop_signal), program.stop_timeout_s)
