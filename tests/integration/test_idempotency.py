"""Idempotency keys over HTTP: on any call and form that changes something."""

import threading
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from shop.accounts.models import User
from shop.app import create_app
from shop.cart.models import CartItem
from shop.catalog.models import Product
from shop.errors import ServiceUnavailable
from shop.patterns.idempotency import keys, replay_rules
from shop.patterns.idempotency.key_store import KeyStore
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.models import IdempotencyKey
from shop.web import idempotency
from tests.support.accounts import PASSWORD, make_account
from tests.support.factories import make_category, make_product, make_user
from tests.support.polling import until

ANN, BEA, BOSS = "ann@shop.test", "bea@shop.test", "boss@shop.test"
ROLES = {ANN: "customer", BEA: "customer", BOSS: "admin"}
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def user_ids(database):
    with database.transaction() as session:
        category = make_category(session)
        make_product(session, category, "mug", price_amount=1299)
        make_product(session, category, "pot", price_amount=3000)
        return {email: make_user(session, email, role=role).id for email, role in ROLES.items()}


@pytest.fixture
def browsers(runtime, user_ids):
    """Makes clients that share nothing but the store; with an address, each carries that account's token."""
    app = create_app(runtime)

    def browser(email=None):
        client = app.test_client()
        return become(client, email) if email else client

    def become(client, email):
        token = runtime.services().accounts.issue_token(user_ids[email]).token
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client

    browser.become = become
    return browser


def add(browser, key, product="mug", **more):
    headers = {"Idempotency-Key": key}
    return browser.post("/api/v1/cart/items", json={"product": product, **more}, headers=headers)


def pieces(database):
    with database.reading() as session:
        return session.scalar(select(func.coalesce(func.sum(CartItem.quantity), 0)))


def kept(database):
    with database.reading() as session:
        return session.scalars(select(IdempotencyKey.status).order_by(IdempotencyKey.created_at)).all()


def replayed(answer):
    return answer.headers.get("Idempotency-Replayed") == "true"


def test_a_repeated_call_is_executed_once_with_the_same_response(browsers, database):
    ann = browsers(ANN)
    first, second = add(ann, "one"), add(ann, "one")
    assert (second.status_code, second.data, second.content_type) == (200, first.data, first.content_type)
    assert (replayed(first), replayed(second)) == (False, True)
    assert second.headers["Cache-Control"] == "private, no-store"
    assert pieces(database) == 1


def test_the_spelling_of_a_body_does_not_count(browsers, database):
    ann = browsers(ANN)
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json"}
    for body in ('{"product":"mug","quantity":2}', '{ "quantity": 2, "product": "\\u006dug" }'):
        assert ann.post("/api/v1/cart/items", data=body, headers=headers).status_code == 200
    assert pieces(database) == 2


def test_a_repeated_form_redirects_to_the_same_page(browsers, database):
    ann = browsers(ANN)
    form = {"product": "mug", "key": "one"}
    first, second = (ann.post("/cart/items", data=form) for _ in "12")
    assert (second.status_code, second.location) == (303, first.location)
    assert replayed(second)
    assert pieces(database) == 1


def test_a_key_used_for_another_request_is_refused(browsers, database):
    ann = browsers(ANN)
    add(ann, "one")
    other = add(ann, "one", quantity=2)
    assert other.status_code == 422
    assert "Idempotency-Key" in other.json["errors"]
    assert pieces(database) == 1


def test_the_same_change_to_another_product_is_another_request(browsers):
    ann = browsers(ANN)
    add(ann, "a", "mug")
    add(ann, "b", "pot")
    answers = [
        ann.patch(f"/api/v1/cart/items/{slug}", json={"quantity": 5}, headers={"Idempotency-Key": "one"})
        for slug in ("mug", "pot")
    ]
    assert [answer.status_code for answer in answers] == [200, 422]


def test_equal_keys_of_different_routes_are_independent(browsers, database):
    ann = browsers(ANN)
    assert add(ann, "one").status_code == 200
    removed = ann.delete("/api/v1/cart/items/mug", headers={"Idempotency-Key": "one"})
    assert (removed.status_code, replayed(removed)) == (200, False)
    assert pieces(database) == 0


def test_another_users_key_reveals_nothing(browsers, database):
    add(browsers(ANN), "one", "pot")
    for asked in ("pot", "mug"):  # the very same request, and another one
        bea = browsers(BEA)
        answer = add(bea, "one" if asked == "pot" else "two", asked)
        assert (answer.status_code, replayed(answer)) == (200, False)
    assert pieces(database) == 3


def test_equal_keys_of_two_strangers_are_independent(browsers, database):
    answers = [add(browsers(), "one", product) for product in ("mug", "pot")]
    assert [(answer.status_code, replayed(answer)) for answer in answers] == [(200, False)] * 2


def test_a_stranger_gets_a_cart_after_a_lost_response(browsers, database):
    add(browsers(), "one")
    again = browsers()
    answer = add(again, "one")
    assert (answer.status_code, replayed(answer)) == (200, False)
    assert again.get("/api/v1/cart").json["count"] == 1


def test_a_registration_is_confirmed_after_a_lost_response(browsers):
    body = {"email": "new@shop.test", "password": PASSWORD, "name": "New"}
    first, second = (
        browsers().post("/api/v1/users", json=body, headers={"Idempotency-Key": "one"}) for _ in ("lost", "again")
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert replayed(second)


def test_keys_have_at_most_255_characters(browsers, database):
    ann = browsers(ANN)
    assert add(ann, "k" * 256).status_code == 400
    assert add(ann, "").status_code == 400
    assert ann.post("/cart/items", data={"product": "mug", "key": "a\0b"}).status_code == 400
    assert pieces(database) == 0
    assert add(ann, "k" * 255).status_code == 200


def test_a_not_found_response_is_replayed(browsers):
    ann = browsers(ANN)
    change = {"json": {"quantity": 2}, "headers": {"Idempotency-Key": "one"}}
    first = ann.patch("/api/v1/cart/items/mug", **change)
    add(ann, "another")
    second = ann.patch("/api/v1/cart/items/mug", **change)
    assert (first.status_code, second.status_code, replayed(second)) == (404, 404, True)
    assert first.data == second.data


@pytest.mark.parametrize("slug", ["mug", "nothing-at-all"])
def test_refusals_of_strangers_and_guests_are_not_stored(browsers, database, slug):
    stranger = browsers()
    for number in range(3):
        change = {"json": {"quantity": 2}, "headers": {"Idempotency-Key": f"key-{number}"}}
        assert stranger.patch(f"/api/v1/cart/items/{slug}", **change).status_code == 404
    guest = browsers()
    assert guest.post("/api/v1/cart/items", json={"product": "another"}).status_code in (200, 404)
    assert guest.patch(f"/api/v1/cart/items/{slug}", **change).status_code == 404
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM idempotency_keys")).scalar_one() == 0


def test_a_response_too_long_to_store_is_not_made_twice(browsers, database, monkeypatch):
    monkeypatch.setattr(replay_rules, "MAX_BODY", 100)
    ann = browsers(ANN)
    assert add(ann, "one").status_code == 200
    again = add(ann, "one")
    assert (again.status_code, "too long to be stored" in again.json["detail"]) == (409, True)
    assert pieces(database) == 1
    with database.reading() as session:
        assert session.execute(text("SELECT length(body) FROM idempotency_keys")).scalar_one() == 0


def test_responses_that_may_change_are_not_stored(browsers, database):
    ann, bea, boss = browsers(ANN), browsers(), browsers(BOSS)
    assert add(ann, "one", quantity=0).status_code == 422
    assert add(ann, "one").status_code == 200
    review = {"json": {"rating": 5, "body": "It holds tea and looks good doing it."}}
    headers = {"Idempotency-Key": "two"}
    assert bea.post("/api/v1/products/mug/reviews", **review, headers=headers).status_code == 401
    browsers.become(bea, BEA)
    assert bea.post("/api/v1/products/mug/reviews", **review, headers=headers).status_code == 201
    with database.transaction() as session:
        session.execute(text("UPDATE stock_items SET reserved = 2"))
    count = {"json": {"on_hand": 1}, "headers": {"Idempotency-Key": "three"}}
    assert boss.patch("/api/v1/admin/products/mug", **count).status_code == 409
    with database.transaction() as session:
        session.execute(text("UPDATE stock_items SET reserved = 0"))
    assert boss.patch("/api/v1/admin/products/mug", **count).status_code == 200


def test_a_redirect_to_the_sign_in_page_is_not_stored(browsers):
    ann = browsers()
    form = {"rating": "5", "body": "It holds tea and looks good doing it.", "key": "one"}
    assert "/login" in ann.post("/p/mug/review", data=form).location
    browsers.become(ann, ANN)
    assert ann.post("/p/mug/review", data=form).location == "/p/mug#reviews"


def test_a_failed_request_leaves_no_work_and_no_key(browsers, database):
    ann = browsers(ANN)
    with database.transaction() as session:
        session.execute(text("ALTER TABLE cart_items ADD CONSTRAINT planned CHECK (quantity > 1)"))
    ann.application.testing = False
    try:
        assert add(ann, "one").status_code == 500
    finally:
        with database.transaction() as session:
            session.execute(text("ALTER TABLE cart_items DROP CONSTRAINT planned"))
    assert kept(database) == []
    assert (add(ann, "one").status_code, pieces(database)) == (200, 1)


def test_requests_with_a_key_in_progress_are_refused_at_once(browsers, database):
    ann, impatient = browsers(ANN), browsers(ANN)
    add(ann, "before")
    answers = []
    request = threading.Thread(target=lambda: answers.append(add(ann, "one")))
    with database.transaction() as holder:
        holder.execute(text("SELECT * FROM carts FOR UPDATE"))
        request.start()
        until(lambda: _waiting(database))
        answer = add(impatient, "one")
        assert (answer.status_code, answer.headers["Retry-After"]) == (409, "2")
    request.join(10)
    assert answers[0].status_code == 200
    assert replayed(add(impatient, "one"))
    assert pieces(database) == 2


def test_credentials_are_never_stored(browsers, database):
    credentials = {"email": "cas@shop.test", "password": PASSWORD}
    with database.transaction() as session:
        make_account(session, "cas@shop.test")
    tokens = {
        browsers().post("/api/v1/tokens", json=credentials, headers={"Idempotency-Key": "one"}).json["token"]
        for _ in "12"
    }
    assert len(tokens) == 2
    assert browsers().post("/login", data={**credentials, "key": "one"}).status_code == 303
    assert kept(database) == []


def test_a_claim_ends_when_its_process_is_silent(database):
    key_store = KeyStore(timedelta(hours=1), claim_ttl=timedelta(seconds=1))
    key = RequestKey("user:1", "POST /", "one", "f")

    def is_free():
        with database.engine.begin() as connection:
            return key_store.claim(connection, key, uuid.uuid4()).is_acquired

    with database.engine.connect() as silent:
        assert key_store.claim(silent, key, uuid.uuid4()).is_acquired
        assert not is_free()
        until(is_free)
        silent.invalidate()  # the server has hung up


def test_a_silent_process_gets_a_retryable_error(database):
    def stall():
        with database.transaction() as session:
            session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 1"))
            until(lambda: _is_alone(database))
            session.execute(text("SELECT 1"))

    with pytest.raises(ServiceUnavailable):
        stall()


def test_an_expired_key_may_be_used_again(browsers, database):
    ann = browsers(ANN)
    add(ann, "one")
    _let_time_pass(database, timedelta(hours=23))
    assert replayed(add(ann, "one"))
    _let_time_pass(database, timedelta(hours=2))
    assert not replayed(add(ann, "one", quantity=3))
    assert pieces(database) == 4


def test_the_reaper_deletes_only_expired_keys(browsers, database, runtime):
    ann = browsers(ANN)
    add(ann, "old")
    _let_time_pass(database, timedelta(hours=25))
    add(ann, "new")
    reaper = runtime.services().key_reaper
    assert [reaper.run_once(), reaper.run_once()] == [1, 0]
    assert replayed(add(ann, "new"))


def test_keys_have_no_effect_with_the_switch_off(browsers, database):
    ann = browsers(ANN)
    ann.put("/api/v1/switches/checkout.idempotency", json={"value": "off"})
    assert not replayed(add(ann, "one"))
    assert not replayed(add(ann, "one"))
    assert (pieces(database), kept(database)) == (2, [])


def test_only_the_first_request_purges_and_after_its_commit(browsers, database):
    boss, guest = browsers(BOSS), browsers()
    edit = {"json": {"title": "Big mug"}, "headers": {"Idempotency-Key": "one"}}
    guest.get("/api/v1/products/mug")
    assert boss.patch("/api/v1/admin/products/mug", **edit).status_code == 200
    assert guest.get("/api/v1/products/mug").json["title"] == "Big mug"
    with database.transaction() as session:
        session.execute(update(Product).where(Product.slug == "mug").values(title="Renamed past the store"))
    assert replayed(boss.patch("/api/v1/admin/products/mug", **edit))
    assert guest.get("/api/v1/products/mug").json["title"] == "Big mug"


def test_all_changing_routes_except_credentials_take_a_key(browsers):
    app = browsers().application
    changing = {
        rule.endpoint for rule in app.url_map.iter_rules() if idempotency.WRITE_METHODS & rule.methods and rule.endpoint
    }
    ignoring = {name for name in changing if idempotency.key_mode(app.view_functions[name]) is None}
    assert ignoring == {
        "accounts_api.start_session",
        "accounts_api.end_session",
        "accounts_api.issue_token",
        "accounts.start_session",
        "accounts.open_account",
        "accounts.end_session",
        "account_api.change_password",
        "own_account.change_password",
        "resets_api.set_password",
        "resets.set_password",
    }


def test_a_password_cannot_be_guessed_from_stored_fingerprints(browsers, database):
    body = {"email": "new@shop.test", "password": PASSWORD, "name": "New"}
    browsers().post("/api/v1/users", json=body, headers={"Idempotency-Key": "one"})
    with database.reading() as session:
        found = session.scalars(select(IdempotencyKey)).one()
        assert session.scalar(select(func.count()).select_from(User).where(User.email == "new@shop.test")) == 1
    assert PASSWORD.encode() not in found.body
    # The same request to a store with another secret has another fingerprint, so a hash alone is no use.
    plain = keys.fingerprint("", "/api/v1/users?", keys.canonical_json(body))
    assert plain != found.fingerprint


def _is_alone(database):
    """Return whether no other session of this database is inside a transaction."""
    idle = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"
    with database.reading() as session:
        return session.scalar(text(idle)) == 0


def _waiting(database):
    with database.reading() as session:
        return session.scalar(text(WAITS))


def _let_time_pass(database, time):
    with database.transaction() as session:
        session.execute(update(IdempotencyKey).values(expires_at=IdempotencyKey.expires_at - time))
