"""A supervisor of a real Valkey and PostgreSQL that accepts faults: ``fault_supervisor.py VAR_DIR PORT PORT``."""

import os
import sys
from pathlib import Path

from shop.faults import FaultChannel
from shop.stack import postgres, valkey
from shop.stack.console import StackConsole
from shop.stack.process_identity import ProcessIdentity
from shop.stack.state import StackState, StateFile
from shop.stack.supervisor import ProcessSupervisor


def main() -> None:
    """Start both servers, supervise them, stop them."""
    var, cache, database = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    state = StateFile(var / "run")
    supervisor = ProcessSupervisor(state, var / "log", StackConsole())
    supervisor.handle_stop_signals()
    postgres.initialise(var / "pg")
    with state.hold_lock():
        state.save(StackState(phase="starting", supervisor=ProcessIdentity.of(os.getpid())))
        try:
            supervisor.start([valkey.cache(var / "cache", cache, 16), postgres.program(var / "pg", database)])
            supervisor.wait_until_ready()
            supervisor.accept_faults(FaultChannel(var / "run"), var)
            state.update(phase="ready")
            supervisor.run()
        finally:
            supervisor.stop()
            state.update(phase="stopped", supervisor=None)


if __name__ == "__main__":
    main()
