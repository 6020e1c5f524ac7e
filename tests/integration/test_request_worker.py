"""The bounded queue of a real gunicorn: whom it refuses while all request threads wait, and how."""

import http.client
import json
import socket
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager

import httpx
import psycopg
import pytest

from shop.web.request_worker import request_bytes
from tests.support.polling import until
from tests.support.web_server import WebServer

pytestmark = pytest.mark.xdist_group("request-worker")

LENGTH = 10
WAIT_MS = 10_000
HELD_MS = 20_000
STOCK = "/api/v1/products/mug/stock"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
CRAWLER = {"User-Agent": "ExampleBot/1.0"}


@pytest.fixture(scope="module")
def web(settings, tmp_path_factory):
    """The store, one process with two threads and a short queue, whose statements wait long for a lock."""
    changes = {
        "db_lock_timeout_ms": HELD_MS,
        "db_statement_timeout_ms": HELD_MS,
        "request_timeout_ms": HELD_MS,
        "threads": 2,
        "web_queue_length": LENGTH,
        "web_queue_wait_ms": WAIT_MS,
    }
    server = WebServer(settings.model_copy(update=changes), tmp_path_factory.mktemp("web"))
    server.wait()
    yield server
    server.stop()


class Clients:
    """Requests in threads of their own, and the statuses that came."""

    def __init__(self, url):
        self._url, self._threads, self.statuses = url, [], Counter()

    def send(self, count, path, **options):
        for _ in range(count):
            self._threads.append(threading.Thread(target=self._send, args=(path, options)))
            self._threads[-1].start()

    def _send(self, path, options):
        self.statuses[httpx.get(self._url + path, timeout=60, **options).status_code] += 1

    def join(self):
        for thread in self._threads:
            thread.join()


@contextmanager
def busy_threads(web):
    """Let both request threads wait for a locked table; yield clients."""
    clients = Clients(web.url)
    with psycopg.connect(web.settings.database_url, autocommit=True) as watch:
        with psycopg.connect(web.settings.database_url) as lock:
            lock.execute("LOCK TABLE products, stock_items IN ACCESS EXCLUSIVE MODE")
            clients.send(web.settings.threads, STOCK)
            until(lambda: watch.execute(WAITING).fetchone()[0] == web.settings.threads)
            yield clients
            lock.rollback()
        clients.join()


def metric(web, name, **labels):
    for line in httpx.get(web.metrics_url).text.splitlines():
        if line.startswith(name) and all(f'{label}="{value}"' in line for label, value in labels.items()):
            return float(line.rpartition(" ")[2])
    return 0.0


def refusals(web, priority, reason):
    return metric(web, "shop_overload_refused_total", priority=priority, reason=reason)


def set_switch(web, name, value):
    assert httpx.put(f"{web.url}/api/v1/switches/{name}", json={"value": value}).status_code == 200
    time.sleep(1.2)  # every process follows within a second


@pytest.fixture
def fifo(web):
    """Requests wait for the longest time, so that only the length refuses them."""
    set_switch(web, "overload.queue", "fifo")
    yield
    set_switch(web, "overload.queue", "codel")


def refused_request(web, path, **headers):
    """Send a request that is to be refused; return its response, and the connection that it leaves."""
    connection = http.client.HTTPConnection("127.0.0.1", web.settings.port, timeout=2)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response, response.read(), connection


def test_full_queue_refuses_crawlers_first_and_checkouts_last(web, fifo):
    before = {name: refusals(web, name, "full") for name in ("speculative", "browse", "checkout")}
    with busy_threads(web) as clients:
        clients.send(LENGTH // 2, STOCK)
        until(lambda: metric(web, "shop_overload_waiting") == LENGTH // 2)
        for headers in (CRAWLER, {}):
            assert httpx.get(web.url + STOCK, headers=headers, timeout=1).status_code == 503
        clients.send(LENGTH - LENGTH // 2, "/api/v1/checkout")
        until(lambda: metric(web, "shop_overload_waiting") == LENGTH)
        clients.send(1, "/api/v1/checkout")  # in the place of a page
        until(lambda: refusals(web, "browse", "full") == before["browse"] + 2)
        assert refusals(web, "speculative", "full") == before["speculative"] + 1
        assert refusals(web, "checkout", "full") == before["checkout"]
        assert httpx.get(f"{web.url}/livez", timeout=1).status_code == 200
    assert clients.statuses == {404: 2 + LENGTH // 2 - 1, 503: 1, 405: LENGTH - LENGTH // 2 + 1}


def test_refusal_is_complete_and_keeps_the_connection(web, fifo):
    with busy_threads(web) as clients:
        clients.send(LENGTH // 2, STOCK)
        until(lambda: metric(web, "shop_overload_waiting") == LENGTH // 2)
        response, body, connection = refused_request(web, STOCK, **{"X-Request-ID": "my-own-request"})
        document = json.loads(body)
        assert (response.status, response.headers["Retry-After"]) == (503, "2")
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["X-Request-ID"] == document["request_id"] == "my-own-request"
        assert (document["status"], document["instance"]) == (503, STOCK)
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b'{"status": "alive"}'
        connection.request("POST", STOCK, body=b"x" * 100)
        assert connection.getresponse().read().startswith(b"{")
        connection.request("GET", "/p/mug?page=1")
        page = connection.getresponse()
        assert (page.status, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
        assert b"More requests arrive than the store can serve" in page.read()
        connection.close()


def test_client_that_hangs_up_takes_no_place_in_the_queue(web, fifo):
    before = refusals(web, "browse", "full")
    with busy_threads(web) as clients:
        with ExitStack() as leavers:
            for _ in range(LENGTH):
                leavers.enter_context(closing(socket.create_connection(("127.0.0.1", web.settings.port), timeout=2)))
            assert httpx.get(f"{web.url}/livez", timeout=2).status_code == 200  # by now, all are accepted
        assert httpx.get(f"{web.url}/livez", timeout=2).status_code == 200  # and now, all are gone
        clients.send(LENGTH // 2, STOCK)
        until(lambda: metric(web, "shop_overload_waiting") == LENGTH // 2)
        assert refusals(web, "browse", "full") == before
    assert clients.statuses == {404: 2 + LENGTH // 2}


def test_request_of_unknown_length_is_refused_and_closed(web, fifo):
    with busy_threads(web) as clients:
        clients.send(LENGTH // 2, STOCK)
        until(lambda: metric(web, "shop_overload_waiting") == LENGTH // 2)
        with closing(socket.create_connection(("127.0.0.1", web.settings.port), timeout=2)) as raw:
            raw.sendall(b"POST /p/mug HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nConnection: close\r\n" in answer


def test_request_is_refused_after_the_longest_wait(web, fifo):
    before = refusals(web, "browse", "waited")
    with busy_threads(web):
        began = time.monotonic()
        response = httpx.get(web.url + STOCK, timeout=20)
        took_s = time.monotonic() - began
    assert response.status_code == 503
    assert WAIT_MS / 1000 <= took_s < WAIT_MS / 1000 + 3
    assert refusals(web, "browse", "waited") == before + 1


def test_standing_queue_refuses_early_by_default(web):
    """Other requests waited for more than a second: the next one may wait for a tenth of it."""
    before = refusals(web, "browse", "waited")
    with busy_threads(web) as clients:
        clients.send(1, STOCK)
        until(lambda: refusals(web, "browse", "waited") > before)
        began = time.monotonic()
        assert httpx.get(web.url + STOCK, timeout=20).status_code == 503
    assert time.monotonic() - began < WAIT_MS / 1000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere SO_RCVLOWAT delays no event")
@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /livez HTTP/1.1\r\nHo",
        b"POST /api/v1/cart/items HTTP/1.1\r\nHost: shop\r\nContent-Length: 200000\r\n\r\n{",
    ],
)
def test_slow_senders_take_no_thread(web, beginning):
    with ExitStack() as slow:
        senders = [
            slow.enter_context(closing(socket.create_connection(("127.0.0.1", web.settings.port), timeout=5)))
            for _ in range(2 * web.settings.threads)
        ]
        for sent in (beginning, b"x", b"x"):
            for sender in senders:
                sender.sendall(sent)
            assert httpx.get(f"{web.url}/login", timeout=2).status_code == 200


def test_body_in_pieces_is_read_as_a_whole(web):
    body = json.dumps({"product": "x" * 150_000}).encode()
    with closing(socket.create_connection(("127.0.0.1", web.settings.port), timeout=10)) as sender:
        sender.sendall(b"POST /api/v1/cart/items HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n")
        for piece in (b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body), *pieces(body, 4)):
            time.sleep(0.05)
            sender.sendall(piece)
        answer = b"".join(iter(lambda: sender.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 422 ")


def pieces(body, count):
    size = len(body) // count + 1
    return [body[start : start + size] for start in range(0, len(body), size)]


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n", 27),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcd", 41),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", None),
        (b"POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\nabc", None),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 9\r\n\r\nabc", None),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", None),
        (b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", None),
        (b"GET / HTTP/1.1\r\nConnection: keep-alive, close\r\n\r\n", None),
        (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", None),
        (b"", None),
    ],
)
def test_only_a_whole_request_leaves_its_connection_open(head, length):
    assert request_bytes(head) == length
