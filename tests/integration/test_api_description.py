"""The OpenAPI description is true: whatever fits it is answered as it says, whatever does not is refused as it says."""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from shop.app import create_app
from shop.web.openapi import KNOWN
from tests.factories import make_category, make_product
from tests.integration.accounts import make_account

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
    needing = {one.label for one in operations if one.definition.raw.get("security") == KNOWN}
    assert refusing - SIGNING_IN == needing, "what strangers are refused is what is described as needing an account"


@pytest.mark.parametrize("turn", range(5))
def test_who_asks_while_the_description_is_worked_out_is_given_all_of_it(runtime, turn):
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
