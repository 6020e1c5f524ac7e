"""Password resets: a mailed link that works once."""

import json
import logging
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from shop.accounts.models import PasswordReset
from shop.accounts.password_resets import LIFETIME, LINKS_MAX, PasswordResets
from shop.accounts.session_records import SessionReaper
from shop.app import create_app
from shop.clock import SystemClock
from shop.errors import NotFound
from shop.mail.mailer import FaultInjectingMailer, MailFailed
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.outbox.relay import OutboxRelay
from shop.queue_wiring import SUBSCRIPTIONS, message_dispatcher
from tests.support.accounts import CHEAP, PASSWORD, make_account, sign_in
from tests.support.checkout_records import count_rows, sent_mails

ANN = "ann@shop.test"
NEW = "seven quiet rivers"


@pytest.fixture
def ann(database):
    with database.transaction() as session:
        return make_account(session, ANN, name="Ann").id


def ask(client, email=ANN):
    return client.post("/api/v1/password-resets", json={"email": email})


def taken(runtime):
    """Take all that waits, as the relay does."""
    found = []
    while OutboxRelay(runtime.database, found.append, lambda: 1000).run_once():
        pass
    return found


def deliver(runtime):
    """Do what the relay and the worker do with all that waits."""
    found = taken(runtime)
    for message in found:
        runtime.services().password_mail.handle(message)
    return found


def token_in(mail):
    (token,) = set(re.findall(r"/reset\?token=([\w-]+)", mail.text + mail.html))
    return token


@pytest.fixture
def link(runtime, client, database, ann):
    """The token of a link that was asked for and sent."""
    ask(client)
    deliver(runtime)
    return token_in(sent_mails(database)[-1])


def confirm(client, token, password=NEW):
    return client.post("/api/v1/password-resets/confirm", json={"token": token, "password": password})


def test_mailed_link_resets_password_and_ends_all_sessions(runtime, client, database, ann):
    app = client.application
    here, there = app.test_client(), app.test_client()
    sign_in(there, ANN)
    token = there.post("/api/v1/tokens", json={"email": ANN, "password": PASSWORD}).json["token"]
    assert 'href="/forgotten"' in here.get("/login").text
    answer = here.post("/forgotten", data={"email": " Ann@Shop.test "})
    assert (answer.status_code, answer.location) == (303, "/forgotten")
    assert "a mail with a link is on its way" in here.get("/forgotten").text
    deliver(runtime)
    (mail,) = sent_mails(database)
    assert (mail.recipient, mail.subject) == (ANN, "Set a new password")
    assert here.get(f"/reset?token={token_in(mail)}").location == "/reset"
    page = here.get("/reset")
    assert ANN in page.text
    assert page.headers["Cache-Control"] == "private, no-store"
    answer = here.post("/reset", data={"password": NEW})
    assert (answer.status_code, answer.location) == (303, "/login")
    assert "Your new password is set" in here.get("/login").text
    assert there.get("/api/v1/me").json["user"] is None
    assert there.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert sign_in(there, ANN, PASSWORD).status_code == 401
    assert sign_in(there, ANN, NEW).status_code == 200


def test_the_same_by_the_api(client, link):
    assert confirm(client, link).status_code == 204
    assert sign_in(client, ANN, NEW).status_code == 200


def test_reset_signs_browser_out_but_guest_keeps_cart(client, link):
    sign_in(client, ANN)
    client.get(f"/reset?token={link}")
    client.post("/reset", data={"password": NEW})
    assert client.get_cookie("account") is None
    guest = client.application.test_client()
    with guest.session_transaction() as session:
        session.update(cart=str(uuid.UUID(int=7)), reset="used")
    assert guest.post("/reset", data={"password": NEW}).status_code == 404
    with guest.session_transaction() as session:
        assert session["cart"] == str(uuid.UUID(int=7))


def test_an_unknown_address_is_answered_as_a_known_one(runtime, client, database, ann):
    known, unknown = (ask(client, email) for email in (ANN, "nobody@shop.test"))
    assert known.status_code == unknown.status_code == 202
    assert known.data == unknown.data
    shape = re.compile(r"desc=\"(\d+ queries)")  # the same statements: the account is not even looked for
    assert shape.findall(known.headers["Server-Timing"]) == shape.findall(unknown.headers["Server-Timing"])
    assert {name for name, _ in known.headers} == {name for name, _ in unknown.headers}
    with database.reading() as session:
        assert session.scalar(select(func.count()).where(OutboxMessage.topic == "account.password-forgotten")) == 2
    deliver(runtime)
    assert [mail.recipient for mail in sent_mails(database)] == [ANN]
    pages = [client.post("/forgotten", data={"email": email}) for email in (ANN, "nobody@shop.test")]
    assert pages[0].data == pages[1].data
    assert [client.get("/forgotten").status_code for _ in pages] == [200, 200]


@pytest.mark.parametrize("way", ["api", "page"])
def test_invalid_email_address_is_refused(client, way):
    answer = ask(client, "nowhere") if way == "api" else client.post("/forgotten", data={"email": "nowhere"})
    assert answer.status_code == 422


def test_a_link_is_good_once(client, link):
    assert confirm(client, link).status_code == 204
    again = confirm(client, link, "eight loud rivers")
    assert (again.status_code, "does not work any more" in again.json["detail"]) == (404, True)
    assert sign_in(client, ANN, NEW).status_code == 200


def test_of_two_uses_at_once_one_wins(runtime, database, link):
    def use(password):
        try:
            runtime.services().password_resets.reset(link, password)
        except NotFound:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(use, [f"quiet river number {number}" for number in range(4)])) == 1
    assert count_rows(database, PasswordReset) == 0


def test_using_one_link_ends_the_others(runtime, client, database, link):
    ask(client)
    deliver(runtime)
    other = token_in(sent_mails(database)[-1])
    assert other != link
    assert confirm(client, other).status_code == 204
    assert confirm(client, link).status_code == 404


def test_changing_the_password_ends_a_link(client, link):
    sign_in(client, ANN)
    change = {"current_password": PASSWORD, "new_password": NEW}
    assert client.post("/api/v1/me/password", json=change).status_code == 204
    assert confirm(client, link).status_code == 404


def test_forged_expired_and_used_links_are_answered_the_same(runtime, client, database, ann):
    class LaterClock(SystemClock):
        def now(self):
            return super().now() + LIFETIME + timedelta(seconds=1)

    resets = runtime.services().password_resets
    expired = PasswordResets(database, LaterClock(), CHEAP)
    old = resets.issue(ANN, uuid.uuid4()).token
    with pytest.raises(NotFound):
        expired.reset(old, NEW)
    assert SessionReaper(database, LaterClock()).run_once() == 1
    used = resets.issue(ANN, uuid.uuid4()).token
    resets.reset(used, NEW)
    said = set()
    for token in (old, used, "forged", "", "x" * 200, "\u00fc"):
        answer = confirm(client, token)
        said.add((answer.status_code, answer.json["detail"]))
        client.get("/reset", query_string={"token": token})
        pages = client.get("/reset"), client.post("/reset", data={"password": NEW})
        assert [(page.status_code, "does not work any more" in page.text) for page in pages] == [(404, True)] * 2
    assert len(said) == 1


def test_rejected_password_leaves_reset_link_valid(client, link):
    client.get(f"/reset?token={link}")
    page = client.post("/reset", data={"password": "password123"})
    assert (page.status_code, 'id="error-password"' in page.text) == (422, True)
    answer = confirm(client, link, ANN)
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["password"])
    assert confirm(client, link).status_code == 204


def test_an_account_gets_so_many_mails_and_no_more(runtime, client, database, ann):
    for _ in range(LINKS_MAX + 2):
        assert ask(client).status_code == 202
        deliver(runtime)
    assert len(sent_mails(database)) == LINKS_MAX
    assert confirm(client, token_in(sent_mails(database)[0])).status_code == 204


def test_asking_again_while_mail_is_late_adds_no_message(client, database, ann):
    for _ in range(3):
        ask(client)
    assert count_rows(database, OutboxMessage) == 1


def test_repeated_message_sends_one_mail_with_valid_link(runtime, client, database, ann):
    ask(client)
    (message,) = deliver(runtime)
    for consumer in SUBSCRIPTIONS[message.topic]:
        message_dispatcher(runtime).deliver(consumer, message.to_json())
    (mail,) = sent_mails(database)
    assert confirm(client, token_in(mail)).status_code == 204


def test_failed_mail_does_not_count_towards_link_limit(runtime, client, database, ann):
    ask(client)
    (message,) = taken(runtime)
    broken = replace(runtime, mailer=FaultInjectingMailer(runtime.mailer, lambda: "down"))
    for _ in range(LINKS_MAX + 1):
        with pytest.raises(MailFailed):
            broken.services().password_mail.handle(message)
    runtime.services().password_mail.handle(message)
    assert count_rows(database, PasswordReset) == 1
    (mail,) = sent_mails(database)
    assert confirm(client, token_in(mail)).status_code == 204


def test_reset_token_is_only_stored_hashed_and_never_logged(runtime, client, database, settings, caplog, link):
    caplog.set_level(logging.DEBUG)
    client.get(f"/reset?token={link}")
    client.get("/reset")
    confirm(client, link, "password123")
    confirm(client, link)
    assert link not in caplog.text
    assert not [path for path in settings.log_dir.glob("*") if link in path.read_text()]
    ask(client)
    (message,) = deliver(runtime)
    assert set(message.payload) == {"email"}
    with database.reading() as session:
        row = session.execute(select(PasswordReset.__table__)).one()
    assert token_in(sent_mails(database)[-1]) not in json.dumps([str(value) for value in row])


def test_reset_form_has_no_token_in_url_or_body(client, link):
    answer = client.get(f"/reset?token={link}")
    assert answer.status_code == 303
    assert link not in answer.location
    assert link not in client.get("/reset").text


def test_a_key_repeats_the_request_and_never_the_reset(runtime, link):
    client = create_app(runtime).test_client()
    headers = {"Idempotency-Key": "one"}
    body = {"token": link, "password": NEW}
    assert client.post("/api/v1/password-resets/confirm", json=body, headers=headers).status_code == 204
    assert client.post("/api/v1/password-resets/confirm", json=body, headers=headers).status_code == 404
