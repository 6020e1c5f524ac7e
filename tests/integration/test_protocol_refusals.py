"""What gunicorn refuses by itself, without an edge before it, and that the edge says the same."""

import json
import re

import pytest
from gunicorn.http import errors as unreadable

from shop.stack import edge as stack_edge
from shop.web import protocol_refusals
from shop.web.protocol_refusals import REFUSALS, STATUSES
from shop.web.security import HEADERS, MAX_BODY_BYTES
from tests.support.edge import raw
from tests.support.web_server import WebServer

pytestmark = pytest.mark.xdist_group("probe-worker")

LONG = "x" * 9000
UNREADABLE = {
    "no HTTP at all": (400, "hello\r\n\r\n"),
    "a header without a colon": (400, "GET /api/v1/me HTTP/1.1\r\nno colon here\r\n\r\n"),
    "an address that is not ASCII": (400, "GET /caf\xe9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a method that is none": (400, "G<E>T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "two lengths": (400, "POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    "a long address": (414, f"GET /{LONG} HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a long header": (431, f"GET / HTTP/1.1\r\nHost: a\r\nCookie: {LONG}\r\n\r\n"),
    "many headers": (431, "GET / HTTP/1.1\r\nHost: a\r\n" + "A: b\r\n" * 70 + "\r\n"),
    "an unknown coding": (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: squeezed\r\n\r\n"),
    "a version to come": (505, "GET / HTTP/7.0\r\nHost: a\r\n\r\n"),
}


@pytest.fixture(scope="module")
def web(settings, tmp_path_factory):
    server = WebServer(settings, tmp_path_factory.mktemp("web"))
    server.wait()
    yield server
    server.stop()


@pytest.mark.parametrize(("status", "request_text"), UNREADABLE.values(), ids=UNREADABLE)
def test_gunicorn_errors_use_the_store_messages_and_headers(web, status, request_text):
    answer = raw(web.settings.port, request_text.encode("latin-1")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first == f"HTTP/1.1 {status} {REFUSALS[status].title}"
    assert {name: headers[name] for name, _ in HEADERS} == dict(HEADERS)
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Request-ID"] in body
    assert REFUSALS[status].title in body


def test_a_program_is_told_in_a_problem_document():
    answer = protocol_refusals.response_bytes(431, "/api/v1/me", HEADERS).decode()
    head, _, body = answer.partition("\r\n\r\n")
    problem = json.loads(body)
    assert "Content-Type: application/problem+json" in head
    assert (problem["type"], problem["status"], problem["instance"]) == (
        "/problems/request-header-fields-too-large",
        431,
        "/api/v1/me",
    )


@pytest.mark.parametrize("kind", [*unreadable.ParseException.__subclasses__(), ValueError, OSError])
def test_every_web_server_error_has_status_and_message(kind):
    assert protocol_refusals.status_of(kind.__new__(kind)) in REFUSALS


def test_failure_outside_the_application_is_a_server_error():
    assert protocol_refusals.status_of(RuntimeError("broken")) == 500
    assert set(STATUSES.values()) <= set(REFUSALS)


def test_the_edge_says_the_same():
    text = (stack_edge.CONFIGURATION / "nginx.conf.template").read_text()
    for variable, field in {"refusal": "kind", "title": "title", "detail": "detail"}.items():
        table = re.search(rf"map \$status \$edge_{variable} {{(.*?)\n    }}", text, re.DOTALL)
        assert table
        said = dict(re.findall(r'^\s+(\d{3})\s+"?(.*?)"?;$', table[1], re.MULTILINE))
        assert said
        assert said == {status: getattr(REFUSALS[int(status)], field) for status in said}
    shown = re.findall(r"error_page ([0-9 ]+?)(?: =(\d+))? /\.edge/refused/", text)
    statuses = {int(status) for numbers, other in shown for status in ([other] if other else numbers.split())}
    assert {str(status) for status in statuses} == set(said)


def chunked(method, path, content_type, size, end=b"0\r\n\r\n"):
    """Return a request whose body comes in two chunks."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\nConnection: close\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (length, b"x" * length) for length in (size // 2, size - size // 2))
    return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + end


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 3 * MAX_BODY_BYTES])
@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [
        ("POST", "/api/v1/session", "application/json"),
        ("GET", "/api/v1/me", "application/json"),
        ("POST", "/webhooks/payments", "application/json"),
        ("POST", "/login", "application/x-www-form-urlencoded"),
        ("POST", "/nowhere", "text/plain"),
    ],
)
def test_chunked_body_beyond_limit_is_refused_not_truncated(web, database, method, path, content_type, size):
    answer = raw(web.settings.port, chunked(method, path, content_type, size)).decode()
    assert answer.startswith("HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("path", "content_type", "status"),
    [("/api/v1/session", "application/json", 400), ("/login", "application/x-www-form-urlencoded", 401)],
)
def test_a_body_in_chunks_up_to_the_limit_is_read(web, database, path, content_type, status):
    answer = raw(web.settings.port, chunked("POST", path, content_type, MAX_BODY_BYTES)).decode()
    assert answer.startswith(f"HTTP/1.1 {status} ")


def test_a_body_whose_chunks_make_no_sense_is_malformed(web, database):
    broken = chunked("POST", "/api/v1/session", "application/json", 100, end=b"no length\r\n\r\n")
    assert raw(web.settings.port, broken).startswith(b"HTTP/1.1 400 ")
