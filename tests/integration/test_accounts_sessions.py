"""Sessions on the server: how long a cookie is valid, and what ends it."""

import hashlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from shop.accounts.models import AccountSession, ApiToken
from shop.accounts.service import AccountService
from shop.accounts.session_records import SESSIONS_MAX, TOKENS_MAX, SessionReaper
from shop.app import create_app
from shop.errors import BadCredentials
from tests.support.accounts import CHEAP, PASSWORD, make_account, sign_in
from tests.support.checkout_records import count_rows
from tests.support.factories import make_category, make_product
from tests.support.shifted_clock import ShiftedClock

ANN = "ann@shop.test"


@pytest.fixture
def clock():
    return ShiftedClock()


@pytest.fixture
def accounts(database, clock):
    return AccountService(database, clock, CHEAP, timedelta(days=30), timedelta(days=14))


@pytest.fixture
def ann(database):
    with database.transaction() as session:
        return make_account(session, ANN).id


@pytest.fixture
def mug(database):
    with database.transaction() as session:
        return make_product(session, make_category(session), "mug", price_amount=500).slug


def who(client):
    user = client.get("/api/v1/me").json["user"]
    return user["email"] if user else None


def queries_of(answer):
    return int(re.search(r'desc="(\d+) quer', answer.headers["Server-Timing"])[1])


@pytest.mark.parametrize("way", ["api", "page", "everywhere"])
def test_a_copied_cookie_is_worthless_after_signing_out(runtime, ann, mug, way):
    app = create_app(runtime)
    owner, thief = app.test_client(), app.test_client()
    sign_in(owner, ANN)
    thief.set_cookie("account", owner.get_cookie("account").value)
    assert who(thief) == ANN
    match way:
        case "api":
            assert owner.delete("/api/v1/session").status_code == 204
        case "page":
            assert owner.post("/logout").status_code == 303
        case "everywhere":
            assert owner.post("/logout", data={"everywhere": "yes"}).status_code == 303
    assert who(thief) is None
    assert thief.get("/api/v1/orders").status_code == 401
    assert thief.post(f"/api/v1/products/{mug}/reviews", json={"rating": 1, "body": "x"}).status_code == 401


def test_logging_in_again_ends_the_session_that_browser_had(runtime, ann):
    app = create_app(runtime)
    owner, thief = app.test_client(), app.test_client()
    sign_in(owner, ANN)
    thief.set_cookie("account", owner.get_cookie("account").value)
    sign_in(owner, ANN)
    assert who(owner) == ANN
    assert who(thief) is None


def test_the_cookie_is_random_and_only_its_hash_is_kept(client, database, ann):
    sign_in(client, ANN)
    token = client.get_cookie("account").value
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert client.get_cookie("session") is None
    with database.reading() as session:
        assert session.scalars(select(AccountSession.token_hash)).one() == hashlib.sha256(token.encode()).digest()


def test_a_session_costs_a_request_one_query(client, ann):
    sign_in(client, ANN)
    assert queries_of(client.get("/api/v1/cart")) == 2  # whose it is, and the cart
    client.get("/logout")  # the menu is kept from now on
    assert queries_of(client.get("/logout")) == 1


@pytest.mark.parametrize("value", ["", "unknown", "1.0", "\u00ff", "x" * 3000])
def test_an_unknown_cookie_is_a_guest(client, ann, value):
    client.set_cookie("account", value)
    assert who(client) is None


def test_a_session_ends_by_time_and_is_reaped(database, accounts, clock, ann):
    account = accounts.authenticate(ANN, PASSWORD)
    opened = accounts.open_session(account)
    accounts.issue_token(ann)
    clock.wall_ahead_s = timedelta(days=13).total_seconds()
    assert accounts.identity_of_session(opened.token).user_id == ann
    later = accounts.open_session(account)
    clock.wall_ahead_s = timedelta(days=14, seconds=1).total_seconds()
    assert accounts.identity_of_session(opened.token) is None
    assert SessionReaper(database, clock).run_once() == 1
    assert accounts.identity_of_session(later.token).user_id == ann
    clock.wall_ahead_s = timedelta(days=31).total_seconds()
    assert SessionReaper(database, clock).run_once() == 2
    assert (count_rows(database, AccountSession), count_rows(database, ApiToken)) == (0, 0)


def test_one_session_too_many_ends_the_oldest(database, accounts, ann):
    account = accounts.authenticate(ANN, PASSWORD)
    opened = [accounts.open_session(account).token for _ in range(SESSIONS_MAX + 1)]
    assert count_rows(database, AccountSession) == SESSIONS_MAX
    assert accounts.identity_of_session(opened[0]) is None
    assert accounts.identity_of_session(opened[1]).user_id == ann


def test_one_token_too_many_ends_the_oldest_also_at_once(database, accounts, ann):
    issued = [accounts.issue_token(ann).token for _ in range(TOKENS_MAX)]
    with ThreadPoolExecutor(4) as pool:
        late = list(pool.map(lambda _: accounts.issue_token(ann).token, range(4)))
    assert count_rows(database, ApiToken) == TOKENS_MAX
    known = [token for token in [*issued, *late] if accounts.identity_of_token(token)]
    assert known == [*issued[4:], *late]


def test_concurrent_log_ins_respect_session_limit(database, accounts, ann):
    account = accounts.authenticate(ANN, PASSWORD)
    for _ in range(SESSIONS_MAX - 1):
        accounts.open_session(account)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: accounts.open_session(account), range(8)))
    assert count_rows(database, AccountSession) == SESSIONS_MAX


def test_authentication_before_end_of_all_sessions_opens_none(database, accounts, ann):
    account = accounts.authenticate(ANN, PASSWORD)
    accounts.end_sessions(ann)
    with pytest.raises(BadCredentials, match="Sign in again"):
        accounts.open_session(account)
    with pytest.raises(BadCredentials, match="Sign in again"):
        accounts.issue_token(ann, account.epoch)
    assert (count_rows(database, AccountSession), count_rows(database, ApiToken)) == (0, 0)


def test_concurrent_log_in_does_not_survive_end_of_sessions(database, accounts, ann):
    account = accounts.authenticate(ANN, PASSWORD)
    together = threading.Barrier(5)

    def open_one(_):
        together.wait()
        try:
            return accounts.open_session(account).token
        except BadCredentials:
            return ""

    with ThreadPoolExecutor(5) as pool:
        opened = [pool.submit(open_one, number) for number in range(4)]
        pool.submit(lambda: (together.wait(), accounts.end_sessions(ann))).result()
        tokens = [token for future in opened if (token := future.result())]
    assert [token for token in tokens if accounts.identity_of_session(token)] == []
    assert count_rows(database, AccountSession) == 0


def test_response_begun_as_guest_cannot_undo_log_in(client, ann, mug):
    late = client.post("/api/v1/cart/items", json={"product": mug, "quantity": 1}).headers["Set-Cookie"]
    sign_in(client, ANN)
    name, _, value = late.partition(";")[0].partition("=")
    client.set_cookie(name, value)  # its answer was slower than the log-in in another tab
    assert who(client) == ANN


def test_log_in_keeps_a_cart_cookie_set_concurrently(client, ann):
    answer = sign_in(client, ANN)  # of a passer-by, who may have got her first cart in another tab meanwhile
    assert [header.partition("=")[0] for header in answer.headers.getlist("Set-Cookie")] == ["account"]


def test_legacy_session_cookie_is_signed_out_with_a_notice(client, ann):
    with client.session_transaction() as session:
        session.update(_user_id=f"{ann}.0", _fresh=True)
    assert who(client) is None
    answer = client.get("/api/v1/orders")
    assert (answer.status_code, answer.json["detail"]) == (401, "You were signed out. Sign in again.")
    page = client.get("/login")
    assert "You were signed out. Sign in again." in page.text
    sign_in(client, ANN)
    assert who(client) == ANN
    assert client.get("/login").status_code == 303


def test_an_ended_session_is_told_apart_from_a_stranger(client, accounts, ann):
    assert "You were signed out" not in client.get("/login").text
    sign_in(client, ANN)
    accounts.end_sessions(ann)
    assert "You were signed out. Sign in again." in client.get("/login").text


def test_the_secret_key_opens_no_account(runtime, client, ann):
    signer = create_app(runtime).session_interface.get_signing_serializer(client.application)
    assert isinstance(signer, URLSafeTimedSerializer)
    client.set_cookie("session", signer.dumps({"_user_id": f"{ann}.0"}))
    client.set_cookie("account", signer.dumps({"_user_id": f"{ann}.0"}))
    assert who(client) is None
