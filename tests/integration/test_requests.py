"""What surrounds every request, whatever it asks for."""

import json
import re

import pytest

from shop.app import create_app
from shop.exercises.live_arm import LiveRequest, LiveResponse
from shop.patterns.observability.request_record import RequestRecord
from shop.web import security
from shop.web.request_middleware import server_timing
from shop.wiring import build

ID = "a-request-id.of_ours"
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
FLIP = "/api/v1/switches/cache.shared"


@pytest.fixture(scope="module")
def client(settings):
    """One application for all: nothing here depends on what a store holds."""
    runtime = build(settings)
    runtime.start()
    yield create_app(runtime).test_client()
    runtime.close()


def is_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    return answer.json


def test_a_well_formed_request_id_is_kept_and_echoed(client):
    answer = client.get("/api/v1/nothing", headers={"X-Request-ID": ID, "traceparent": TRACE})
    assert answer.headers["X-Request-ID"] == answer.json["request_id"] == ID
    assert answer.headers["traceparent"] == TRACE


@pytest.mark.parametrize("bad", ["short", "x" * 129, "with space in it", "näh-näh-näh"])
def test_a_malformed_request_id_is_replaced(client, bad):
    answer = client.get("/api/v1/nothing", headers={"X-Request-ID": bad.encode().decode("latin-1")})
    assert len(answer.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize("path", ["/", "/api/v1/switches", "/api/v1/nothing", "/nowhere", "/api/docs"])
def test_every_answer_forbids_what_no_page_of_ours_needs(client, path):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Referrer-Policy"]
    assert headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers


def test_an_answer_says_once_what_it_says(client):
    headers = client.get("/api/v1/switches").headers
    assert all(len(headers.getlist(name)) == 1 for name in set(headers.keys()))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "http://localhost.evil.test"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_only_our_own_pages_and_programs_may_write(client, sent, status):
    answer = client.put(FLIP, json={"value": "on"}, headers=sent)
    assert answer.status_code == status, answer.text


def test_a_cross_origin_read_is_nobodys_business(client):
    assert client.get("/api/v1/switches", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_a_bearer_token_proves_where_a_write_comes_from(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer nothing-good"}
    assert client.put(FLIP, json={"value": "on"}, headers=headers).status_code != 403


@pytest.mark.parametrize("body", ["{", "", "[1", '{"value": }', b"\xff\xfe", "[" * 100_000, '{"value": "a\\u0000b"}'])
def test_invalid_json_is_malformed_before_field_validation(client, body):
    answer = client.put(FLIP, data=body, content_type="application/json")
    is_problem(answer, 422 if body == "" else 400)


def test_half_a_character_is_no_text(client):
    body = b'{"email": "ann@shop.test", "password": "\\uD83D"}'
    assert client.post("/api/v1/session", data=body, content_type="application/json").status_code == 400
    whole = b'{"email": "ann@shop.test", "password": "\\uD83D\\uDE00"}'
    assert client.post("/api/v1/session", data=whole, content_type="application/json").status_code == 401


@pytest.mark.parametrize("depth", [200, 450, 900, 50_000])
def test_a_body_nested_too_deep_to_be_read_is_malformed(client, depth):
    body = b"[" * depth + b'"\\u0000"' + b"]" * depth
    assert client.post("/api/v1/session", data=body, content_type="application/json").status_code == 400


def test_an_escaped_backslash_before_u0000_is_no_nul(client):
    answer = client.put(FLIP, data=r'{"value": "\\u0000"}', content_type="application/json")
    is_problem(answer, 422)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_body_without_json_content_type_is_refused(client, kind):
    is_problem(client.put(FLIP, data='{"value": "on"}', content_type=kind), 415)


def test_a_field_that_is_wrong_is_named(client):
    assert set(is_problem(client.put(FLIP, json={"value": 3}), 422)["errors"]) == {"value"}


def test_field_errors_are_plain_sentences(client):
    errors = is_problem(client.post("/api/v1/session", json=[]), 422)["errors"]
    assert errors == {"body": "must be a JSON object"}
    user = {"email": "nobody", "password": "long enough, surely", "name": "Bo"}
    assert "^" not in is_problem(client.post("/api/v1/users", json=user), 422)["errors"]["email"]


@pytest.mark.parametrize("quantity", [True, "1"])
def test_json_values_that_are_not_numbers_are_refused(client, quantity):
    answer = client.post("/api/v1/cart/items", json={"product": "mug", "quantity": quantity})
    assert set(is_problem(answer, 422)["errors"]) == {"quantity"}


@pytest.mark.parametrize("path", ["/api/v1/switches?x=%00", "/api/v1/%00"])
def test_a_nul_in_the_address_is_malformed(client, path):
    is_problem(client.get(path), 400)


@pytest.mark.parametrize("path", [FLIP, "/lab/switches/cache.shared"])
def test_a_body_beyond_the_limit_is_refused(client, path):
    data = b'{"value": "' + b"x" * security.MAX_BODY_BYTES + b'"}'
    kind = "application/json" if path == FLIP else "application/x-www-form-urlencoded"
    answer = client.open(path, method="PUT" if path == FLIP else "POST", data=data, content_type=kind)
    assert answer.status_code == 413


def test_another_method_is_told_which_ones_there_are(client):
    answer = client.post("/api/v1/switches", json={})
    is_problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_head_answers_as_get_without_the_body(client):
    answer = client.head("/api/v1/switches")
    assert answer.status_code == 200
    assert answer.data == b""
    assert int(answer.headers["Content-Length"]) > 0


def test_options_tells_the_methods(client):
    assert "PUT" in client.options(FLIP).headers["Allow"]


def test_timings_are_shown_in_the_lab(client):
    assert re.search(r'db;dur=\d+\.\d\d;desc="1 query"', client.get("/api/v1/switches").headers["Server-Timing"])


@pytest.mark.parametrize(("queries", "words"), [(0, "0 queries"), (1, "1 query"), (2, "2 queries")])
def test_timings_count_queries_in_words(queries, words):
    header = server_timing(RequestRecord(queries=queries))
    assert f'desc="{words}"' in header
    response = LiveResponse(LiveRequest("/"), 200, {"server-timing": header}, "", 0.0, 0.0)
    assert response.queries == queries  # as the live stage reads it


def test_production_shows_no_insides_and_asks_for_https(settings, database):
    runtime = build(settings.model_copy(update={"profile": "production"}))
    client = create_app(runtime).test_client()
    try:
        answer = client.get("/api/v1/switches")
        assert answer.status_code == 404
        assert "Server-Timing" not in answer.headers
        assert "max-age=" in answer.headers["Strict-Transport-Security"]
        assert client.get("/lab").status_code == client.get("/lab/live").status_code == 404
        assert client.put(FLIP, json={"value": "off"}).status_code == 404
    finally:
        runtime.close()


def test_the_api_is_described_with_problems_for_errors(client):
    described = client.get("/api/openapi.json").json
    assert described["openapi"].startswith("3.1")
    for path in described["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status[0] in "45":
                    assert list(response["content"]) == ["application/problem+json"]
            assert {"4XX", "5XX"} <= set(operation["responses"])


def test_the_api_can_be_browsed_without_any_outside_resource(client):
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("<!doctype html>", "").replace("http://localhost", "")


def test_api_page_shows_every_call_with_body_and_responses(client):
    page, description = client.get("/api/docs").text, client.get("/api/openapi.json").get_json()
    for path, item in description["paths"].items():
        for method, operation in item.items():
            entry = page.partition(f'id="{operation["operationId"]}"')[2].partition("</details>")[0]
            assert path in entry
            assert method.upper() in entry
            assert all(f'<th scope="row">{status}</th>' in entry for status in operation["responses"])
            assert "requestBody" not in operation or f"A body of {operation['operationId']}" in entry
    assert all(f'id="schema-{name}"' in page for name in description["components"]["schemas"])


ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "latin-1")
WRITES = ("/api/v1/session", "/api/v1/users", "/api/v1/cart/items", "/api/v1/checkout", "/api/v1/nothing")


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "body",
    [
        *(json.dumps({"email": "é"}, ensure_ascii=False).encode(encoding) for encoding in ENCODINGS),
        json.dumps({"a": 1}).encode("utf-16-le"),
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\xed\xa0\xbd\xed\xb8\x80"}',
        b'{"name": "\xc0\x80"}',
        b'{"name": "a\x00b"}',
        b'{"name": "\xff"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_json_body_not_in_utf8_is_refused_everywhere(client, path, body):
    answer = client.post(path, data=body, content_type="application/json", headers={"Idempotency-Key": "bytes"})
    assert "UTF-8" in is_problem(answer, 400)["detail"]


@pytest.mark.parametrize("path", ["/p/mug%0a", "/p/%0dmug", "/%7f", "/api/v1/products/%c2%85", "/search%00"])
def test_a_control_character_in_a_path_is_refused(client, path):
    assert client.get(path).status_code == 400


def test_letters_of_any_script_are_accepted_in_paths(client):
    assert client.get("/p/%e3%81%82-%c3%85").status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/me", "/login", "/nowhere", "/api/v1/categories"])
def test_a_request_for_another_host_is_misdirected(client, path):
    assert client.get(path).status_code != 421
    answer = client.get(path, headers={"Host": "elsewhere.example"})
    assert answer.status_code == 421
    assert ("application/problem+json" in answer.content_type) == path.startswith("/api/")
    assert "no-store" in answer.headers["Cache-Control"]
    assert client.get(path).status_code != 421


def test_request_under_a_rebound_host_name_writes_nothing(client):
    rebound = {"Host": "elsewhere.example:8080", "Origin": "http://elsewhere.example:8080"}
    is_problem(client.put(FLIP, json={"value": "off"}, headers=rebound), 421)
    same = {**rebound, "Sec-Fetch-Site": "same-origin"}
    is_problem(client.put(FLIP, json={"value": "off"}, headers=same), 421)


def test_the_probes_answer_under_any_name(client):
    assert client.get("/livez", headers={"Host": "10.1.2.3.elsewhere.example"}).status_code == 200
