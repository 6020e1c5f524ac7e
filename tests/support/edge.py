"""The real edge for tests: nginx with the store's own configuration, in front of an origin with the test's answers."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import httpx

from shop.patterns.edge import ProxyCacheFiles
from shop.settings import Settings
from shop.stack import edge
from shop.stack.program import ServerProgram, free_port
from shop.web.edge_headers import HAS_STALE_VARIABLE, stale_if_error_redirect

START_TIMEOUT_S = 60


class Process:
    """One program of the stack, started by a test."""

    def __init__(self, program: ServerProgram, home: Path) -> None:
        self._program = program
        self._output = home / f"{program.name}.out"
        home.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        """Start the process and wait until it answers."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._program.argv, stdout=output, stderr=output, env={**os.environ, **self._program.env}, cwd="/"
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._program.healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()  # the test has no reference to it yet
                raise RuntimeError(f"{self._program.name} did not start:\n{self._output.read_text()}")
            time.sleep(0.02)

    def said(self) -> str:
        """Return its output."""
        return self._output.read_text()

    def kill(self) -> None:
        """Kill the process, and wait for its end."""
        self._process.kill()
        self._process.wait()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Suspend the process during the block."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop the process cleanly."""
        if self._process.poll() is None:
            self._process.send_signal(self._program.stop_signal)
            self._process.wait(self._program.stop_timeout_s)


@dataclass
class Reply:
    """An answer of the origin."""

    body: bytes = b"a page"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: threading.Event | None = None
    """If given, the origin waits for it before it answers."""


@dataclass
class Asked:
    """A request that reached the origin."""

    method: str
    target: str
    headers: dict[str, str]
    """The names are in lower case."""
    peer: int = 0
    """The client port: one for each connection."""


def _freshness_headers(reply: Reply, asked: Asked) -> dict[str, str]:
    """Return the headers with the time of an answer, the end of its freshness and the time of its request."""
    if "X-Accel-Expires" not in reply.headers:
        return {}
    made = int(time.time())
    until = made + int(reply.headers["X-Accel-Expires"])
    return {
        "X-Edge-Made": str(made),
        "X-Edge-Until": str(until),
        "X-Edge-Asked": asked.headers.get("x-edge-asked", ""),
    }


def _stale_redirect(asked: "Asked", reply: Reply) -> dict[str, str]:
    """Return the headers that make the edge serve a stale answer after a failure, like the application's."""
    environ = {HAS_STALE_VARIABLE: asked.headers.get("x-edge-holds", "")}
    return dict(stale_if_error_redirect(environ, reply.status))


class Origin:
    """An HTTP server with the test's answers; it stores the requests."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked: list[Asked] = []
        self.reply: Callable[[Asked], Reply] = lambda asked: Reply()
        self._server: ThreadingHTTPServer | None = None
        self._open: set[socket.socket] = set()
        self.start()

    def start(self) -> None:
        """Start to listen."""
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                origin._open.add(self.request)

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, self.client_address[1])
                origin.asked.append(asked)
                reply = origin.reply(asked)
                if reply.wait is not None:
                    assert reply.wait.wait(20)
                self.send_response_only(reply.status)
                headers = {
                    "Date": formatdate(usegmt=True),
                    **_freshness_headers(reply, asked),
                    **_stale_redirect(asked, reply),
                    **reply.headers,
                }
                for name, value in headers.items():
                    self.send_header(name, value)
                body = b"" if reply.status == 304 else reply.body
                if reply.status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer  # noqa: N815

            def log_message(self, *words: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *where: object) -> None:
                pass  # nginx closed the connection; the test checks that

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Close every connection and refuse new ones."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        while self._open:
            with suppress(OSError):  # the other end may have closed it
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def says(self, body: bytes = b"a page", status: int = 200, **headers: str) -> None:
        """Answer every request with the same reply; ``_`` in a header's name means a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply = lambda asked: Reply(body, status, named)


class Edge:
    """nginx with the store's own configuration.

    Args:
        settings: of the store; directory and port are the edge's own.
        home: its directory.
        app_port: where the application listens.
        changes: texts of the configuration and their replacements.
        wrapper: a command that starts nginx.
    """

    def __init__(
        self,
        settings: Settings,
        home: Path,
        app_port: int,
        changes: Mapping[str, str] = MappingProxyType({}),
        wrapper: tuple[str, ...] = (),
    ) -> None:
        executable = edge.find_binary()
        assert executable is not None
        self.settings = settings.model_copy(update={"port": free_port(), "host": "127.0.0.1", "var_dir": home})
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self.store = ProxyCacheFiles(self.settings.edge_dir / "store")
        program = edge.nginx(executable, self.settings, f"127.0.0.1:{app_port}")
        configuration = self.settings.edge_dir / "nginx.conf"
        for text, replacement in changes.items():
            assert text in configuration.read_text()
            configuration.write_text(configuration.read_text().replace(text, replacement))
        self.process = Process(replace(program, argv=(*wrapper, *program.argv)), home)
        self.client = httpx.Client(base_url=self.url, timeout=20)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Send a GET request; ``_`` in a header's name means a hyphen."""
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def entry(self, path: str, **headers: str) -> str:
        """Send a GET request; return the edge's entry of its ``Cache-Status``."""
        return entry(self.get(path, **headers))

    def lines(self) -> str:
        """Return the access log."""
        path = self.settings.log_dir / "edge.jsonl"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        """Stop the edge."""
        self.client.close()
        self.process.stop()


def entry(answer: httpx.Response) -> str:
    """Return the edge's own entry of ``Cache-Status``, without its TTL."""
    own = answer.headers["Cache-Status"].split(", ")[-1]
    assert own.startswith("shop-edge; ")
    return "; ".join(part for part in own.split("; ")[1:] if not part.startswith("ttl="))


def raw(port: int, request: bytes) -> bytes:
    """Send raw bytes, and return the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Return all bytes until the other side closes the connection."""
    heard = b""
    while more := connection.recv(65536):
        heard += more
    return heard
