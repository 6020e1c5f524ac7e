"""Runs the stack's own PostgreSQL without the other servers, for a command that needs it while the store is down."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from shop.errors import ConfigurationError
from shop.settings import Settings
from shop.stack import directories, ports, postgres
from shop.stack.database_roles import OWNER
from shop.stack.down import stop_leftovers
from shop.stack.state import ProcessRecord, StateFile

START_TIMEOUT_S = 30.0
POLL_S = 0.05


@contextmanager
def standalone_database(settings: Settings) -> Iterator[Settings]:
    """Run PostgreSQL on a free port during the block. No stack can start in this directory meanwhile.

    Yields:
        The settings with the address of the database, for the role of its owner.

    Raises:
        ConfigurationError: the stack runs, or PostgreSQL cannot start.
    """
    directories.prepare_directories(settings)
    state = StateFile(settings.run_dir)
    with directories.explain_permission_errors(settings), state.hold_lock():
        stop_leftovers(state, lambda line: None)
        data_dir = settings.var_dir / "pg"
        postgres.initialise(data_dir)
        port = ports.choose_ports(("postgres",), state.load().ports)["postgres"]
        program = postgres.program(data_dir, port)
        log = settings.log_dir / "postgres.log"
        with log.open("ab") as out:
            server = subprocess.Popen(program.argv, stdout=out, stderr=out, cwd="/", start_new_session=True)
        try:
            if record := ProcessRecord.of(server.pid, program):
                state.update(processes={program.name: record})  # `bin/shop down` finds it, also after a kill -9
            deadline = time.monotonic() + START_TIMEOUT_S
            while not program.healthy():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise ConfigurationError(f"PostgreSQL did not start; see its log, {log}.")
                time.sleep(POLL_S)
            postgres.ensure_database(data_dir, port)
            yield settings.model_copy(update={"database_url": postgres.url(data_dir, port, role=OWNER)})
        finally:
            server.send_signal(program.stop_signal)
            server.wait(program.stop_timeout_s)
            state.update(processes={})
