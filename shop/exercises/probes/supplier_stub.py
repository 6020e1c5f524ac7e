"""The supplier's server in a probe: answers, fails, or says nothing, as the probe decides."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

DAYS = 3
POLL_S = 0.01
LONGEST_SILENCE_S = 20.0

StubMode = Literal["answers", "fails", "is silent"]


class SupplierStub:
    """An HTTP server on this machine."""

    def __init__(self) -> None:
        self.mode: StubMode = "answers"
        self.calls = 0
        self._released = threading.Event()
        stub = self

        class StubHandler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub.calls += 1
                if stub.mode == "is silent":
                    stub._released.wait(LONGEST_SILENCE_S)
                body = json.dumps({"days": DAYS}).encode()
                self.send_response(503 if stub.mode == "fails" else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Write nothing."""

        class QuietServer(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                """Write nothing: a client that gives up is what the probe waits for."""

        self._server = QuietServer(("127.0.0.1", 0), StubHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def behave(self, mode: StubMode) -> None:
        """Begin to behave in another way, and count the calls from now on."""
        self.mode, self.calls = mode, 0
        self._released.clear()

    def wait_for_calls(self, count: int, timeout_s: float, is_over: Callable[[], bool]) -> None:
        """Wait until so many calls have arrived, or the time is up, or no more will arrive."""
        for _ in range(round(timeout_s / POLL_S)):
            if self.calls >= count or is_over():
                return
            time.sleep(POLL_S)

    def release(self) -> None:
        """Answer every call from now on, also those that wait."""
        self.mode = "answers"
        self._released.set()

    def close(self) -> None:
        """Stop."""
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
