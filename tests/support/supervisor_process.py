"""A supervisor of two small servers, in a separate process: ``python supervisor_process.py VAR_DIR PORT PORT``."""

import os
import signal
import sys
from pathlib import Path

from shop.stack.console import StackConsole
from shop.stack.process_identity import ProcessIdentity
from shop.stack.program import ServerProgram, port_answers
from shop.stack.state import StackState, StateFile
from shop.stack.supervisor import ProcessSupervisor

SERVER = """
import signal, socket, sys
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""


def program(name: str, port: int, *, stubborn: bool) -> ServerProgram:
    """Return a server that stops on its signal, or one that ignores it."""
    manner = "stubborn" if stubborn else "polite"
    return ServerProgram(
        name=name,
        argv=(sys.executable, "-c", SERVER, str(port), manner),
        port=port,
        healthy=lambda: port_answers(port),
        stop_signal=signal.SIGTERM,
        stop_timeout_s=0.5 if stubborn else 10,
    )


def main() -> None:
    """Start both servers, supervise them, stop them."""
    var, polite, stubborn = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    state = StateFile(var / "run")
    supervisor = ProcessSupervisor(state, var / "log", StackConsole())
    supervisor.handle_stop_signals()
    with state.hold_lock():
        state.save(StackState(phase="starting", supervisor=ProcessIdentity.of(os.getpid())))
        try:
            supervisor.start([program("polite", polite, stubborn=False), program("stubborn", stubborn, stubborn=True)])
            supervisor.wait_until_ready()
            state.update(phase="ready")
            supervisor.run()
        finally:
            supervisor.stop()
            state.update(phase="stopped", supervisor=None)


if __name__ == "__main__":
    main()
