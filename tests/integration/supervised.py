"""A supervisor over two small servers, as a process of its own: ``python supervised.py VAR_DIR PORT PORT``."""

import os
import signal
import sys
from pathlib import Path

from shop.stack.console import Console
from shop.stack.ownership import Identity
from shop.stack.program import Program, port_answers
from shop.stack.state import StackState, StateFile
from shop.stack.supervisor import Supervisor

SERVER = """
import signal, socket, sys
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""


def program(name: str, port: int, *, stubborn: bool) -> Program:
    """A server that stops when asked, or one that does not."""
    manner = "stubborn" if stubborn else "polite"
    return Program(
        name=name,
        argv=(sys.executable, "-c", SERVER, str(port), manner),
        port=port,
        healthy=lambda: port_answers(port),
        stop_signal=signal.SIGTERM,
        stop_timeout_s=0.5 if stubborn else 10,
    )


def main() -> None:
    """Start both, watch, stop."""
    var, polite, stubborn = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    state = StateFile(var / "run")
    supervisor = Supervisor(state, var / "log", Console())
    supervisor.listen()
    with state.exclusively():
        state.save(StackState(phase="starting", supervisor=Identity.of(os.getpid())))
        try:
            supervisor.start([program("polite", polite, stubborn=False), program("stubborn", stubborn, stubborn=True)])
            supervisor.wait()
            state.update(phase="ready")
            supervisor.run()
        finally:
            supervisor.stop()
            state.update(phase="stopped", supervisor=None)


if __name__ == "__main__":
    main()
