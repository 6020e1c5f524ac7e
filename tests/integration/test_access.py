"""Who may call comes before what is sent, and before an answer that was kept."""

import pytest
from sqlalchemy import update

from shop.accounts.models import User
from shop.app import create_app
from shop.web.access_control import access_check
from shop.web.openapi import AUTH_REQUIRED
from tests.support.accounts import make_account, sign_in
from tests.support.factories import make_category, make_product

ANN = "ann@shop.test"
PRODUCT = "/api/v1/admin/products/mug"
CLOSED = [
    ("POST", "/api/v1/products/mug/reviews"),
    ("GET", "/api/v1/orders?limit=none"),
    ("GET", PRODUCT),
    ("PATCH", PRODUCT),
    ("DELETE", f"{PRODUCT}?no=field"),
    ("POST", "/api/v1/admin/products"),
    ("POST", "/api/v1/admin/orders/some-id/ship"),
    ("POST", "/api/v1/admin/orders/some-id/close-refund"),
    ("POST", "/api/v1/me/password"),
]


@pytest.fixture
def ann(database):
    with database.transaction() as session:
        make_product(session, make_category(session), "mug")
        return make_account(session, ANN).id


def give_role(database, user_id, role):
    with database.transaction() as session:
        session.execute(update(User).where(User.id == user_id).values(role=role))


def test_calls_for_accounts_refuse_strangers_before_validating_fields(client, runtime):
    app = create_app(runtime)
    paths = app.api_doc["paths"]
    closed = {
        (method.upper(), path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if operation.get("security") == AUTH_REQUIRED
    }
    checked = {
        (method, rule.rule.replace("<string:", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if access_check(app.view_functions[rule.endpoint]) is not None
    }
    assert closed == checked
    assert len(closed) >= len(CLOSED)


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_stranger_gets_401_before_field_errors(client, ann, method, path):
    body = None if method == "GET" else {"no": "field of this call"}
    assert client.open(path, method=method, json=body).status_code == 401


@pytest.mark.parametrize(("method", "path"), [one for one in CLOSED if one[0] in ("POST", "PATCH")])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_stranger_gets_401_before_body_errors(client, ann, method, path, kind):
    answer = client.open(path, method=method, data=b"{", content_type=kind)
    assert (answer.status_code, answer.json["type"]) == (401, "/problems/not-signed-in")


@pytest.mark.parametrize(("method", "path"), [one for one in CLOSED if "/admin/" in one[1]])
def test_customer_gets_403_before_field_errors(client, ann, method, path):
    sign_in(client, ANN)
    body = None if method == "GET" else {"no": "field of this call"}
    assert client.open(path, method=method, json=body).status_code == 403


@pytest.mark.parametrize(
    ("path", "options"),
    [
        (PRODUCT, {"method": "PATCH", "json": {"price": 700}}),
        ("/admin/products/mug", {"method": "POST", "data": {"price": "7.00"}}),
    ],
)
def test_stored_response_is_replayed_only_to_accounts_with_the_role(client, database, ann, path, options):
    options = {**options, "headers": {"Idempotency-Key": "the-key"}}
    give_role(database, ann, "admin")
    sign_in(client, ANN)
    assert client.open(path, **options).status_code < 500
    again = client.open(path, **options)
    give_role(database, ann, "customer")
    refused = client.open(path, **options)
    assert (refused.status_code, "Idempotency-Replayed" in refused.headers) == (403, False)
    give_role(database, ann, "admin")
    assert client.open(path, **options).status_code == again.status_code
