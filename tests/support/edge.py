"""The real edge for tests: nginx with the store's own configuration, before an origin whose answers a test writes."""

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
        """Start it and wait until it answers."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._program.argv, stdout=output, stderr=output, env={**os.environ, **self._program.env}, cwd="/"
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._program.healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()  # nobody else will: the test has no hold of it
                raise RuntimeError(f"{self._program.name} did not start:\n{self._output.read_text()}")
            time.sleep(0.02)

    def said(self) -> str:
        """Return what it wrote to its terminal."""
        return self._output.read_text()

    def kill(self) -> None:
        """End it at once, and wait."""
        self._process.kill()
        self._process.wait()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let it do nothing for a while."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it well."""
        if self._process.poll() is None:
            self._process.send_signal(self._program.stop_signal)
            self._process.wait(self._program.stop_timeout_s)


@dataclass
class Reply:
    """What the origin answers."""

    body: bytes = b"a page"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: threading.Event | None = None
    """Set when it may go on."""


@dataclass
class Asked:
    """A request that reached the origin."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    peer: int = 0
    """The port it came from: one a connection."""


def _span(reply: Reply, asked: Asked) -> dict[str, str]:
    """Say from when to when an answer is fresh, and when it was asked for, as the application does."""
    if "X-Accel-Expires" not in reply.headers:
        return {}
    made = int(time.time())
    until = made + int(reply.headers["X-Accel-Expires"])
    return {
        "X-Edge-Made": str(made),
        "X-Edge-Until": str(until),
        "X-Edge-Asked": asked.headers.get("x-edge-asked", ""),
    }


def _instead(asked: "Asked", reply: Reply) -> dict[str, str]:
    """Send the edge to what it holds where the answer is a failure, as the application does."""
    environ = {HAS_STALE_VARIABLE: asked.headers.get("x-edge-holds", "")}
    return dict(stale_if_error_redirect(environ, reply.status))


class Origin:
    """An HTTP server that answers what it was told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked: list[Asked] = []
        self.reply: Callable[[Asked], Reply] = lambda asked: Reply()
        self._server: ThreadingHTTPServer | None = None
        self._open: set[socket.socket] = set()
        self.start()

    def start(self) -> None:
        """Listen."""
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
                    **_span(reply, asked),
                    **_instead(asked, reply),
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
                pass  # nginx hung up; the test says what it thinks of that

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
        """Answer everything alike; ``_`` in a header's name stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply = lambda asked: Reply(body, status, named)


class Edge:
    """nginx with the store's own configuration.

    Args:
        settings: of the store; directory and port are the edge's own.
        home: its directory.
        app_port: where the application listens.
        changes: words of the configuration and what stands in their place.
        wrapper: a command that nginx is started by.
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
        written = self.settings.edge_dir / "nginx.conf"
        for words, others in changes.items():
            assert words in written.read_text()
            written.write_text(written.read_text().replace(words, others))
        self.process = Process(replace(program, argv=(*wrapper, *program.argv)), home)
        self.client = httpx.Client(base_url=self.url, timeout=20)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask; ``_`` in a header's name stands for a hyphen."""
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def entry(self, path: str, **headers: str) -> str:
        """Ask, and return what the edge says of where the answer came from."""
        return entry(self.get(path, **headers))

    def lines(self) -> str:
        """Return its log."""
        path = self.settings.log_dir / "edge.jsonl"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        """End it."""
        self.client.close()
        self.process.stop()


def entry(answer: httpx.Response) -> str:
    """Return the edge's own entry of ``Cache-Status``, without the seconds."""
    own = answer.headers["Cache-Status"].split(", ")[-1]
    assert own.startswith("shop-edge; ")
    return "; ".join(part for part in own.split("; ")[1:] if not part.startswith("ttl="))


def raw(port: int, request: bytes) -> bytes:
    """Send bytes as they are and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the other end closes."""
    heard = b""
    while more := connection.recv(65536):
        heard += more
    return heard
