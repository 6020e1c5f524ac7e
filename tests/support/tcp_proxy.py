"""A TCP proxy between a client and its server, in which a test changes, drops or delays the server's answers."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

CHUNK_BYTES = 65536


class TcpProxy:
    """Passes bytes between its clients and one server.

    Args:
        url: of the server.
    """

    def __init__(self, url: str) -> None:
        there = urlsplit(url)
        assert there.hostname
        assert there.port
        self._there = there.hostname, there.port
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        account = there.netloc.rpartition("@")[0]
        self.url = urlunsplit(there._replace(netloc=f"{account}@127.0.0.1:{port}" if account else f"127.0.0.1:{port}"))
        self.answered: Callable[[bytes], bytes] = lambda answer: answer
        """Changes each piece of the server's answer."""
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._serving: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def hang(self) -> None:
        """Hold all answers until :meth:`go_on`."""
        self._flows.clear()

    def go_on(self) -> None:
        """Pass on the held answers and all later ones."""
        self._flows.set()

    def close(self) -> None:
        """Stop listening, and close every connection."""
        self.go_on()
        _cut(self._listening)
        self._accepting.join()
        self._listening.close()
        for one in list(self._open):
            _cut(one)
        for thread in self._serving:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                thread = threading.Thread(target=self._serve, args=(near,), daemon=True)
                self._serving.append(thread)
                thread.start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._there) as far:
            ends = {near, far}
            self._open |= ends
            answering = threading.Thread(target=self._answer, args=(near, far), daemon=True)
            answering.start()
            with suppress(OSError):
                while question := near.recv(CHUNK_BYTES):
                    far.sendall(question)
            _cut(far)
            answering.join()
            self._open -= ends

    def _answer(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while answer := far.recv(CHUNK_BYTES):
                self._flows.wait()
                near.sendall(self.answered(answer))
        _cut(near)


def _cut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
