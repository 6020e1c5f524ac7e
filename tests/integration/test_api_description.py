"""The OpenAPI description is true: whatever fits it is answered as it says, whatever does not is refused as it says."""

import copy
import json
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from shop.app import create_app
from shop.web.api_examples import MUG
from shop.web.openapi import AUTH_REQUIRED
from tests.support.accounts import CHEAP, make_account
from tests.support.factories import make_category, make_product, make_user

NOT_CHECKED = [positive_data_acceptance, ignored_auth]
"""A cursor that was never handed out, a price in another currency or an unknown switch fits its schema and is still
refused, with 422. And a cookie made up beside the token that is sent is no wrong credential: either is enough."""
SIGNING_IN = {"POST /api/v1/session", "POST /api/v1/tokens"}
"""Refuse wrong passwords, not strangers."""
EXAMPLES = 12
"""Requests an operation: more of them find little more and cost the test run a minute."""

ASKED_BY_STRANGERS = 5
"""Requests an operation again without credentials; some that fit the schema are refused for their content."""


@pytest.fixture
def token(runtime, database, simulator):
    """A bearer token of an account that may do everything, in a store with something to sell."""
    with database.transaction() as session:
        for number in range(3):
            make_product(session, make_category(session, f"shelf-{number}"), f"thing-{number}")
        admin = make_account(session, "admin@shop.test", role="admin")
    return runtime.services().accounts.issue_token(admin.id).token


def test_the_api_answers_as_it_describes_itself(runtime, token):
    described = schemathesis.openapi.from_wsgi("/api/openapi.json", create_app(runtime))
    operations = [found.ok() for found in described.get_all_operations()]
    faults, refusing = {}, set()
    for operation in operations:
        try:
            if 401 in _try(operation, {"Authorization": f"Bearer {token}"}):
                refusing.add(operation.label)
        except BaseExceptionGroup as group:
            faults[operation.label] = [str(error) for error in group.exceptions]
        except AssertionError as error:
            faults[operation.label] = [str(error)]
    assert not faults, "\n".join(f"{label}: {fault}" for label, fault in faults.items())
    needing = {one.label for one in operations if one.definition.raw.get("security") == AUTH_REQUIRED}
    assert refusing - SIGNING_IN == needing, "what strangers are refused is what is described as needing an account"


@pytest.fixture
def described(runtime):
    """The description."""
    return create_app(runtime).api_doc


def operations(described):
    """Each operation with its path and method."""
    return [(path, method, one) for path, item in described["paths"].items() for method, one in item.items()]


def schema_of(schema, described):
    """A JSON Schema that can be checked on its own."""
    return {**schema, "components": described["components"]}


def test_each_operation_has_a_unique_telling_name(described):
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch(r"checkout|[a-z]+(_[a-z]+)+", name)] == []


def test_each_body_has_an_example_that_fits_its_schema(described):
    shown = 0
    for path, method, operation in operations(described):
        for body in [operation.get("requestBody", {}), *operation["responses"].values()]:
            for media in body.get("content", {}).values():
                given = [media["example"]] if "example" in media else []
                refs = [one["$ref"].rpartition("/")[2] for one in media.get("examples", {}).values()]
                for example in [*given, *(described["components"]["examples"][name]["value"] for name in refs)]:
                    jsonschema_rs.Draft202012Validator(schema_of(media["schema"], described)).validate(example)
                    shown += 1
        succeeds = [body for status, body in operation["responses"].items() if status[0] == "2"]
        for body in [operation.get("requestBody", {}), *succeeds]:
            assert all("example" in media for media in body.get("content", {}).values()), (path, method)
    assert shown > 100


def test_each_answer_says_its_headers(described):
    known = described["components"]["headers"]
    for path, method, operation in operations(described):
        for status, answer in operation["responses"].items():
            named = {ref["$ref"].rpartition("/")[2] for ref in answer["headers"].values()}
            assert named <= set(known)
            assert "X-Request-ID" in named
            assert ("Retry-After" in named) == (status in ("429", "503", "5XX")), (path, method, status)
    headers = {op["operationId"]: op["responses"] for _, _, op in operations(described)}
    assert {"Location", "Idempotency-Replayed"} <= set(headers["checkout"]["201"]["headers"])
    assert "ETag" in headers["get_product"]["200"]["headers"]
    assert described["servers"] == [{"url": "/", "description": "The store this description comes from."}]


def test_each_write_takes_a_key_unless_it_ignores_them(described):
    takes = {
        operation["operationId"]: next(
            (one["required"] for one in operation.get("parameters", []) if one["name"] == "Idempotency-Key"), None
        )
        for _, method, operation in operations(described)
        if method != "get"
    }
    ignoring = {name for name, required in takes.items() if required is None}
    assert ignoring == {"start_session", "end_session", "issue_token", "change_password", "confirm_password_reset"}
    assert [name for name, required in takes.items() if required] == ["checkout"]


def test_the_examples_can_be_sent(described, runtime, database, token):
    with database.transaction() as session:
        make_product(session, make_category(session, "mugs"), MUG)
        make_user(session, "shopper@shop.test", password_hash=CHEAP.hash("let-me-shop"))
    client, refused = create_app(runtime).test_client(), {}
    for path, method, operation in operations(described):
        if method == "delete" or "requestBody" not in operation or "/faults/" in path:
            continue
        parameters = {one["name"]: one.get("example") for one in operation["parameters"]} if "{" in path else {}
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": operation["operationId"]}
        body = operation["requestBody"]["content"]["application/json"]["example"]
        answer = client.open(path.format(**parameters), method=method.upper(), json=body, headers=headers)
        if answer.status_code >= 400:
            refused[operation["operationId"]] = answer.status_code
    never_made = {"confirm_password_reset": 404, "close_refund": 404}  # a link of a mail, an order
    not_the_admins = {"change_password": 422}
    assert refused == never_made | not_the_admins


@pytest.mark.parametrize(("value", "well"), [(3.0, True), (3, True), ("3", False), (True, False), (3.5, False)])
def test_whole_numbers_are_accepted_in_every_spelling_and_nothing_else(
    described, runtime, database, token, value, well
):
    with database.transaction() as session:
        make_product(session, make_category(session, "mugs"), MUG)
    client, tried = create_app(runtime).test_client(), set()
    for path, method, operation in operations(described):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for field in integers(schema.get("schema", {}), described):
            body = copy.deepcopy(schema["example"])
            place(body, field, value)
            parameters = {one["name"]: one.get("example") for one in operation["parameters"]}
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"{path}{field}"}
            answer = client.open(path.format(**parameters), method=method.upper(), json=body, headers=headers)
            faults = (answer.get_json() or {}).get("errors", {})
            assert (".".join(field) not in faults) == well, (path, field, answer.get_data(as_text=True))
            tried.add(field[-1])
    assert {"quantity", "rating", "amount", "on_hand"} <= tried


def integers(schema, described, way=()):
    """Yield the way to each integer of a body."""
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("anyOf", []):
        yield from integers(choice, described, way)
    if schema.get("type") == "integer":
        yield way
    for name, part in schema.get("properties", {}).items():
        yield from integers(part, described, (*way, name))


def place(body, way, value):
    """Put a value into a body, and what leads there."""
    *outer, last = way
    for name in outer:
        body = body.setdefault(name, {})
    body[last] = value


@pytest.mark.parametrize("turn", range(5))
def test_request_during_the_build_gets_the_whole_description(runtime, turn):
    app, threads = create_app(runtime), 8
    together = threading.Barrier(threads)

    def ask(_number):
        together.wait()
        return json.dumps(app.api_doc)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # the others get their turn in the middle of it
    try:
        with ThreadPoolExecutor(threads) as pool:
            found = set(pool.map(ask, range(threads)))
    finally:
        sys.setswitchinterval(usual)
    assert found == {json.dumps(app.api_doc)}


def _try(operation, headers):
    """Make calls that fit the description; return what some of them are answered with when a stranger makes them."""
    to_a_stranger = []

    @given(case=operation.as_strategy())
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def answers_as_described(case):
        case.call_and_validate(headers=headers, excluded_checks=NOT_CHECKED)
        if len(to_a_stranger) < ASKED_BY_STRANGERS:
            to_a_stranger.append(case.call().status_code)

    answers_as_described()
    return to_a_stranger
