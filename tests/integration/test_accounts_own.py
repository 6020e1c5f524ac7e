"""The account page: change of name and password."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from shop.accounts.models import AccountSession, User
from shop.app import create_app
from shop.errors import ShopError
from tests.support.accounts import PASSWORD, make_account, sign_in

ANN = "ann@shop.test"
OTHER = "seven quiet rivers"


@pytest.fixture
def ann(database):
    with database.transaction() as session:
        return make_account(session, ANN).id


@pytest.fixture
def owner(client, ann):
    sign_in(client, ANN)
    return client


def who(client, **options):
    answer = client.get("/api/v1/me", **options)
    return answer.json["user"]["email"] if answer.status_code == 200 and answer.json["user"] else None


def bearer(client):
    answer = client.post("/api/v1/tokens", json={"email": ANN, "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json['token']}"}


def change(client, present=PASSWORD, new=OTHER, **options):
    return client.post("/api/v1/me/password", json={"current_password": present, "new_password": new}, **options)


def change_on_page(client, present=PASSWORD, new=OTHER):
    return client.post("/account/password", data={"current_password": present, "new_password": new})


@pytest.mark.parametrize(("way", "status"), [(change, 204), (change_on_page, 303)])
def test_another_password_ends_every_other_session_and_token(owner, way, status):
    other, copied = (owner.application.test_client() for _ in range(2))
    sign_in(other, ANN)
    copied.set_cookie("account", owner.get_cookie("account").value)
    token = bearer(owner)
    assert way(owner).status_code == status
    assert who(owner) == ANN
    assert who(other) is None
    assert who(copied) is None
    assert who(other, headers=token) is None
    assert sign_in(other, ANN, PASSWORD).status_code == 401
    assert sign_in(other, ANN, OTHER).status_code == 200


def test_a_program_keeps_the_token_it_changed_the_password_with(client, ann):
    mine, another = (bearer(client) for _ in range(2))
    answer = change(client, headers=mine)
    assert answer.status_code == 204
    assert "Set-Cookie" not in answer.headers
    assert who(client, headers=mine) == ANN
    assert who(client, headers=another) is None


@pytest.mark.parametrize("way", [change, change_on_page])
@pytest.mark.parametrize(
    ("present", "new", "field", "says"),
    [
        ("not the password", OTHER, "current_password", "not your current password"),
        (PASSWORD, PASSWORD, "new_password", "Choose another one"),
        (PASSWORD, "ann@shop.test", "new_password", "email address"),
        (PASSWORD, "password123", "new_password", "well-known"),
    ],
)
def test_forbidden_new_password_is_refused_at_its_field(owner, database, way, present, new, field, says):
    answer = way(owner, present, new)
    assert answer.status_code == 422
    if answer.is_json:
        assert says in answer.json["errors"][field]
    else:
        assert f'id="error-{field}"' in answer.text
        assert says in answer.text
    assert not [secret for secret in (PASSWORD, OTHER, "not the password") if secret in answer.text]
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AccountSession)) == 1
    assert who(owner) == ANN


@pytest.mark.parametrize("path", ["/account", "/account/password"])
def test_a_guest_is_asked_to_sign_in(client, path):
    assert client.post(path).location.startswith("/login")
    assert client.get("/account").location == "/login?next=/account"
    assert change(client).status_code == 401


def test_of_two_changes_at_once_one_wins(runtime, database, ann):
    changes, together = runtime.services().password_changes, threading.Barrier(2)

    def set_to(new):
        together.wait()
        try:
            return changes.change(ann, PASSWORD, new) and new
        except ShopError:
            return None

    with ThreadPoolExecutor(2) as pool:
        done = [new for new in pool.map(set_to, ["seven quiet rivers", "eight loud rivers"]) if new]
    with database.reading() as session:
        stored = session.scalar(select(User.password_hash))
    assert len(done) == 1
    assert runtime.passwords.matches(done[0], stored)


def test_the_page_shows_the_account_and_changes_its_name(owner):
    page = owner.get("/account")
    assert ANN in page.text
    assert page.headers["Cache-Control"] == "private, no-store"
    answer = owner.post("/account", data={"name": "  Ann   New "})
    assert (answer.status_code, answer.location) == (303, "/account")
    page = owner.get("/account")
    assert "Your name is changed." in page.text
    assert 'value="Ann New"' in page.text


def test_a_name_that_is_none_is_refused_beside_its_field(owner):
    answer = owner.post("/account", data={"name": " "})
    assert answer.status_code == 422
    assert 'id="error-name"' in answer.text


def test_signed_in_pages_lead_to_the_account(owner):
    assert 'href="/account"' in owner.get("/orders").text


def test_password_change_is_not_stored_for_a_key(runtime, ann):
    app = create_app(runtime)
    here, there = app.test_client(), app.test_client()
    sign_in(here, ANN)
    assert change(here, headers={"Idempotency-Key": "one"}).status_code == 204
    sign_in(there, ANN, OTHER)
    again = change(there, headers={"Idempotency-Key": "one"})
    assert "Idempotency-Replayed" not in again.headers
    assert again.status_code == 422
