"""Reports of the connection state to subscribers."""

import socket
import threading
from contextlib import suppress

import pytest

from shop.clock import SystemClock
from shop.patterns.caching import InvalidationListener
from shop.patterns.edge import ProxyCacheFiles, SurrogateKeyIndex, TagPurger
from shop.stack.program import free_port


@pytest.fixture
def refusing_server():
    """A server that closes every connection: its port, and the counter of connections."""
    server, attempts = socket.create_server(("127.0.0.1", free_port())), threading.Semaphore(0)

    def refuse():
        with suppress(OSError):  # the test has ended
            while True:
                server.accept()[0].close()
                attempts.release()

    thread = threading.Thread(target=refuse)
    thread.start()
    yield server.getsockname()[1], attempts
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


def test_an_edge_is_flushed_once_for_each_outage(refusing_server, tmp_path, monkeypatch):
    monkeypatch.setattr("shop.patterns.caching.invalidation_bus.RETRY_S", 0.01)
    port, attempts = refusing_server
    url, seen = f"redis://127.0.0.1:{port}/0", []
    registry = SurrogateKeyIndex(url, 100, SystemClock())
    listener = InvalidationListener(url, TagPurger(registry, ProxyCacheFiles(tmp_path), SystemClock(), seen.append))
    listener.start()
    try:
        for _ in range(5):
            assert attempts.acquire(timeout=20)
    finally:
        listener.stop()
    assert [event.reason for event in seen] == ["disconnected"]
