"""What gunicorn refuses by itself, without an edge before it, and that the edge says the same."""

import json
import re

import pytest
from gunicorn.http import errors as unreadable

from shop.stack import edge as stack_edge
from shop.web import protocol_refusals
from shop.web.protocol_refusals import REFUSALS, STATUSES
from shop.web.security import HEADERS
from tests.integration.edge import raw
from tests.integration.web_processes import WebServer

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
def test_a_refusal_by_gunicorn_has_the_store_s_words_and_headers(web, status, request_text):
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
def test_every_error_of_the_web_server_has_a_status_with_words(kind):
    assert protocol_refusals.status_of(kind.__new__(kind)) in REFUSALS


def test_a_failure_around_the_application_is_no_fault_of_the_client():
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
