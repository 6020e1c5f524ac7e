import selectors
import socket
from contextlib import ExitStack

import pytest
from gunicorn.config import Config

from shop.web.probe_worker import ACCEPTS_A_ROUND, ProbeAnsweringWorker, probe_path


@pytest.mark.parametrize(
    ("head", "path"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"/livez"),
        (b"HEAD /readyz HTTP/1.0\r\n\r\n", b"/readyz"),
        (b"GET /readyz?verbose HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n", b"/readyz"),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", b"/livez"),
    ],
)
def test_complete_probe_requests_are_recognised(head, path):
    assert probe_path(head) == path


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET /liv",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n",
        b"GET /livez/more HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /p/livez HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\ntransfer-encoding : chunked\r\n\r\n",
        b"GET /livez HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\n\r\n",
    ],
)
def test_other_requests_go_to_the_request_threads(head):
    assert probe_path(head) is None


@pytest.fixture
def idle_worker():
    """A worker that serves nothing yet: the test calls its loop's methods."""
    worker = ProbeAnsweringWorker(0, 0, [], None, 30, Config(), None)
    worker.poller = selectors.DefaultSelector()
    yield worker
    for connection in worker.pending_conns:
        connection.close()
    worker.poller.close()
    worker.tmp.close()


def test_one_round_accepts_a_burst_up_to_its_bound(idle_worker):
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        listener.setblocking(False)
        for _ in range(2 * ACCEPTS_A_ROUND):
            opened.enter_context(socket.create_connection(listener.getsockname()))
        idle_worker.accept(listener)
        assert idle_worker.nr_conns == len(idle_worker.pending_conns) == ACCEPTS_A_ROUND > 1
        idle_worker.worker_connections = ACCEPTS_A_ROUND + 3
        idle_worker.accept(listener)
        assert idle_worker.nr_conns == idle_worker.worker_connections
        idle_worker.worker_connections = 3 * ACCEPTS_A_ROUND
        for _ in range(2):
            idle_worker.accept(listener)
        assert idle_worker.nr_conns == 2 * ACCEPTS_A_ROUND, "and no more than there are"
