"""A closed-loop HTTP client that needs little processor time: one thread, keep-alive sockets, almost no parsing.

On a machine with two cores, a normal client uses one of them, and then the benchmark measures the client.
"""

import multiprocessing
import re
import selectors
import socket
import time
from dataclasses import dataclass

LENGTH = re.compile(rb"content-length: (\d+)", re.I)
RECEIVE_BYTES = 262_144


@dataclass
class _Connection:
    sock: socket.socket
    received: bytearray


def requests_per_second(port: int, path: str, seconds: float, connections: int) -> float:
    """Request one path repeatedly, from a process of its own, and return the answers a second.

    Raises:
        RuntimeError: an answer did not have status 200.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_drive, (port, path, seconds, connections))


def _drive(port: int, path: str, seconds: float, connections: int) -> float:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    selector = selectors.DefaultSelector()

    def connect() -> None:
        sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ, _Connection(sock, bytearray()))
        sock.sendall(request)

    for _ in range(connections):
        connect()
    started = time.perf_counter()
    answered = 0
    while time.perf_counter() - started < seconds:
        for key, _ in selector.select(timeout=1):
            connection: _Connection = key.data
            try:
                received = connection.sock.recv(RECEIVE_BYTES)
            except ConnectionResetError:
                received = b""
            if not received:  # nginx closes a connection after some number of requests
                selector.unregister(connection.sock)
                connection.sock.close()
                connect()
                continue
            connection.received += received
            if _complete(connection.received):
                answered += 1
                connection.received.clear()
                connection.sock.sendall(request)
    elapsed = time.perf_counter() - started
    for key in list(selector.get_map().values()):
        key.data.sock.close()
    return answered / elapsed


def _complete(received: bytearray) -> bool:
    head = received.find(b"\r\n\r\n")
    if head < 0:
        return False
    if not received.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(bytes(received[:200]).decode("latin-1"))
    length = LENGTH.search(received, 0, head)
    return length is not None and len(received) >= head + 4 + int(length.group(1))
