import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from shop.accounts.models import ApiToken, User
from shop.accounts.passwords import PasswordHashing
from shop.accounts.service import AccountService
from shop.app import create_app
from shop.clock import FakeClock
from shop.errors import BadCredentials, TooManyRequests
from shop.settings import load_settings
from shop.wiring import build
from tests.support.accounts import PASSWORD, make_account, sign_in

ANN = "ann@shop.test"


@pytest.fixture
def ann(database):
    with database.transaction() as session:
        return make_account(session, ANN).id


def bearer(client, email=ANN):
    answer = client.post("/api/v1/tokens", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201
    return {"Authorization": f"Bearer {answer.json['token']}"}


def who(client, **options):
    user = client.get("/api/v1/me", **options).json["user"]
    return user["email"] if user else None


@pytest.mark.parametrize("password", ["wrong password", "", "x" * 128])
@pytest.mark.parametrize("email", [ANN, "nobody@shop.test", "not an address", "keyless@shop.test"])
def test_every_failed_log_in_answers_the_same(client, database, ann, email, password):
    with database.transaction() as session:
        make_account(session, "keyless@shop.test").password_hash = None
    answer = sign_in(client, email, password)
    assert answer.status_code == 401
    assert answer.json["detail"] == "The email or the password is wrong."
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.get_cookie("account") is None


def test_account_with_legacy_email_can_still_log_in(client, database):
    older = "a" * 65 + "@shop.test"
    with database.transaction() as session:
        make_account(session, older)
    assert sign_in(client, older.upper()).status_code == 200
    assert who(client) == older


def test_an_account_that_does_not_exist_costs_a_verification_too(runtime, database, ann):
    verified = []

    class Counting(PasswordHashing):
        def matches(self, password, stored):
            verified.append(stored)
            return super().matches(password, stored)

    accounts = AccountService(database, runtime.clock, Counting(), timedelta(days=1))
    for email in (ANN, "nobody@shop.test", "not an address"):
        with pytest.raises(BadCredentials):
            accounts.authenticate(email, "wrong password")
    assert len(verified) == 3


def test_logging_in_drops_a_session_that_somebody_planted(client, ann):
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    client.set_cookie("account", "planted")
    sign_in(client, ANN)
    assert client.get_cookie("account").value != "planted"
    with client.session_transaction() as session:
        assert "planted" not in session


def test_account_cookie_is_http_only_and_same_site(client, ann):
    header = sign_in(client, ANN).headers["Set-Cookie"]
    assert header.startswith("account=")
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Path=/" in header
    assert "Expires=" in header
    assert "Domain" not in header
    assert "Secure" not in header  # the lab speaks plain http to this machine only


def test_a_cookie_of_the_production_profile_travels_over_https_alone(settings, database, ann):
    runtime = build(load_settings(**(settings.model_dump() | {"profile": "production"})))
    header = sign_in(create_app(runtime).test_client(), ANN).headers["Set-Cookie"]
    runtime.close()
    assert header.startswith("__Host-account=")
    assert "Secure" in header


@pytest.mark.parametrize("path", ["/login", "/register"])
@pytest.mark.parametrize("elsewhere", ["https://evil.example", "/\\evil.example"])
def test_signing_in_never_leads_to_another_site(client, ann, path, elsewhere):
    given = {"email": ANN, "password": PASSWORD, "name": "Bea", "next": elsewhere}
    if path == "/register":
        given["email"] = "bea@shop.test"
    answer = client.post(path, data=given)
    assert (answer.status_code, answer.location) == (303, "/")


def test_bearer_token_authenticates_without_a_cookie(client, ann):
    headers = bearer(client)
    assert who(client, headers=headers) == ANN
    assert client.get_cookie("account") is None


def test_a_token_wins_over_the_cookie_that_comes_along(client, database, ann):
    with database.transaction() as session:
        make_account(session, "bea@shop.test")
    headers = bearer(client, "bea@shop.test")
    sign_in(client, ANN)
    assert who(client, headers=headers) == "bea@shop.test"
    assert who(client) == ANN


@pytest.mark.parametrize("token", ["shop_unknown", "", "a=b"])
def test_a_bad_token_is_refused_even_beside_a_good_cookie(client, ann, token):
    sign_in(client, ANN)
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_only_the_hash_of_a_token_is_kept(client, database, ann):
    token = bearer(client)["Authorization"].removeprefix("Bearer ")
    with database.reading() as session:
        kept = session.scalars(select(ApiToken.token_hash)).one()
    assert len(kept) == 32
    assert token.encode() not in kept


def test_expired_token_is_deleted_when_next_is_issued(database, ann):
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    accounts = AccountService(database, clock, PasswordHashing(), timedelta(days=30))
    issued = accounts.issue_token(ann)
    assert accounts.identity_of_token(issued.token).user_id == ann
    clock.advance((issued.expires_at - clock.now()).total_seconds())
    assert accounts.identity_of_token(issued.token) is None
    accounts.issue_token(ann)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ApiToken)) == 1


def test_signing_out_with_a_token_revokes_it(client, ann):
    headers = bearer(client)
    assert client.delete("/api/v1/session", headers=headers).status_code == 204
    assert client.get("/api/v1/me", headers=headers).status_code == 401


def test_signing_out_everywhere_ends_sessions_and_tokens_at_once(runtime, ann):
    app = create_app(runtime)
    here, there = app.test_client(), app.test_client()
    sign_in(here, ANN)
    sign_in(there, ANN)
    headers = bearer(there)
    assert here.delete("/api/v1/session?everywhere=true").status_code == 204
    assert who(there) is None
    assert there.get("/api/v1/me", headers=headers).status_code == 401


def test_signing_out_here_leaves_the_other_device_signed_in(runtime, ann):
    app = create_app(runtime)
    here, there = app.test_client(), app.test_client()
    sign_in(here, ANN)
    sign_in(there, ANN)
    here.post("/logout")
    assert who(here) is None
    assert who(there) == ANN


def test_the_store_itself_hashes_as_the_rfc_recommends(settings):
    assert build(settings).passwords.hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_hash_of_older_parameters_is_renewed_at_log_in(client, database):
    with database.transaction() as session:
        weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
        make_account(session, ANN).password_hash = weak
    assert sign_in(client, ANN).status_code == 200
    with database.reading() as session:
        renewed = session.scalars(select(User.password_hash)).one()
    assert renewed != weak
    assert sign_in(client, ANN).status_code == 200


def test_log_in_succeeds_when_hash_renewal_is_refused(runtime, database, ann):
    class Full(PasswordHashing):
        def hash(self, password):
            raise TooManyRequests

    weak = Full(PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    assert AccountService(database, runtime.clock, weak, timedelta(days=1)).authenticate(ANN, PASSWORD).email == ANN


@pytest.fixture
def full_house(runtime):
    """A store in which as many log-ins are under way as may be."""
    return create_app(replace(runtime, passwords=PasswordHashing(concurrent=0, waiting=0))).test_client()


@pytest.mark.parametrize(
    ("path", "body"), [("/session", {}), ("/tokens", {}), ("/users", {"name": "Ann", "email": "new@shop.test"})]
)
def test_log_in_with_full_queue_gets_retry_after(full_house, ann, path, body):
    answer = full_house.post(f"/api/v1{path}", json={"email": ANN, "password": PASSWORD, **body})
    assert (answer.status_code, answer.json["type"]) == (429, "/problems/too-many-requests")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("page", ["/login", "/register"])
def test_form_with_full_queue_keeps_input(full_house, ann, page):
    answer = full_house.post(page, data={"email": "new@shop.test", "password": PASSWORD, "name": "Ann"})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert 'value="new@shop.test"' in answer.text
    assert "Too many people are signing in at once." in answer.text


def test_a_password_is_in_no_log_line_and_no_answer(client, caplog, settings, ann):
    caplog.set_level(logging.DEBUG)
    secret = "a secret nobody may read"
    answers = [
        sign_in(client, ANN, secret),
        sign_in(client, ANN, secret * 10),
        client.post("/login", data={"email": ANN, "password": secret}),
        client.post("/register", data={"email": "x", "password": secret, "name": ""}),
        client.post("/api/v1/users", json={"email": "x", "password": secret, "name": "", "more": secret}),
        client.post("/api/v1/users", json={"email": "new@shop.test", "password": secret, "name": "New"}),
    ]
    assert [answer.status_code for answer in answers] == [401, 422, 401, 422, 422, 201]
    assert not [answer.text for answer in answers if secret in answer.text]
    assert secret not in caplog.text
    assert not [path for path in settings.log_dir.glob("*") if secret in path.read_text()]


def test_account_page_redirects_guest_to_login_and_back(runtime):
    app = create_app(runtime)

    def secret_page():
        from shop.web.identity import require_identity

        return require_identity().name

    app.add_url_rule("/for-accounts", view_func=secret_page)
    answer = FlaskClient(app, app.response_class).get("/for-accounts?page=2")
    assert answer.status_code == 303
    assert answer.location == "/login?next=/for-accounts?page%3D2"


@pytest.mark.parametrize("path", ["/", "/search?q=mug", "/api/v1/products", "/api/v1/categories"])
def test_public_page_ignores_the_signed_in_account(client, ann, path):
    public = client.get(path)
    sign_in(client, ANN)
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.data == public.data
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.vary


def test_an_error_of_the_database_quotes_no_values(database, ann):
    with pytest.raises(IntegrityError) as refused, database.transaction() as session:
        session.execute(insert(User).values(email=ANN, name="Ann", password_hash="a hash nobody may read"))
    assert "a hash nobody may read" not in str(refused.value)
