"""The link by which a guest opens her order on any device, and how she has it sent again."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from shop.clock import FakeClock
from shop.orders.links import LINK_LIFETIME, PASS_LIFETIME, OrderLinks
from shop.orders.models import Order
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.outbox.relay import OutboxRelay
from tests.support.accounts import make_account, sign_in
from tests.support.checkout_records import sent_mails
from tests.support.guest_browsers import browser, buy_by_form, check_out


@pytest.fixture
def guest(client, database, simulator, product_on_shelf):
    """A guest's browser with a mug in the cart; ``guest.owner`` is the cart owner her cookie names."""
    product_on_shelf("mug", on_hand=100)
    return browser(client, database)


@pytest.fixture
def bought(guest):
    """The public id of an order she placed."""
    return check_out(guest).json["order"]["id"]


@pytest.fixture
def device(guest):
    """Another browser, that carries nothing."""
    return guest.application.test_client()


def deliver(runtime):
    """Let the worker handle what waits in the outbox."""
    found = []
    OutboxRelay(runtime.database, found.append, lambda: 1000).run_once()
    services = runtime.services()
    consumers = {"order.confirmation": services.confirmation_consumer, "order.link": services.link_mail_consumer}
    for message in found:
        consumers[message.topic].handle(message)
        consumers[message.topic].handle(message)  # whatever comes twice is done once
    return found


def link_in(part):
    return re.search(r"https?://[^/]+(/orders/open\?token=[\w.-]+)", part)[1]


def number_of(database, public_id):
    with database.reading() as session:
        return session.scalar(select(Order.number).where(Order.public_id == public_id))


def signed(runtime, public_id, age=timedelta()):
    """Return a link that was made so long ago."""
    clock = FakeClock(datetime.now(UTC) - age)
    return OrderLinks(runtime.settings.secret_keys, clock, "").guest_path(public_id)


@pytest.mark.parametrize("way", ["queue", "inline"])
def test_mailed_link_opens_and_cancels_order_on_another_device(runtime, database, guest, device, way):
    runtime.switch_store.set("orders.confirmation", way)
    runtime.switch_poller.refresh()
    bought = check_out(guest).json["order"]["id"]
    deliver(runtime)
    (mail,) = sent_mails(database)
    assert link_in(mail.text) == link_in(mail.html)
    assert device.get(f"/orders/{bought}").status_code == 404
    answer = device.get(link_in(mail.text))
    assert (answer.status_code, answer.location) == (303, f"/orders/{bought}")
    page = device.get(answer.location)
    assert "Lindenweg 4" in page.text
    assert device.post(f"/orders/{bought}/cancel").status_code == 303
    assert "Refunded" in device.get(f"/orders/{bought}").text
    assert device.get("/api/v1/orders").status_code == 401  # the link is for a page, not for who has it


def test_the_mail_of_an_account_has_no_such_link(runtime, database, guest):
    with database.transaction() as session:
        make_account(session, "robin@example.org")
    sign_in(guest, "robin@example.org")
    bought = check_out(guest).json["order"]["id"]
    deliver(runtime)
    (mail,) = sent_mails(database)
    assert f"/orders/{bought}" in mail.text
    assert "token" not in mail.text + mail.html


def test_a_link_opens_its_own_order_alone(runtime, guest, bought, device):
    guest.fill()
    other = check_out(guest, key="another").json["order"]["id"]
    assert device.get(signed(runtime, bought)).status_code == 303
    carried = device.get_cookie("order", path=f"/orders/{bought}")
    assert (carried.http_only, carried.same_site, carried.path) == (True, "Lax", f"/orders/{bought}")
    device.set_cookie("order", carried.value)  # for all paths, as an attacker would
    assert device.get(f"/orders/{bought}").status_code == 200
    assert device.get(f"/orders/{other}").status_code == 404
    assert device.post(f"/orders/{other}/cancel").status_code == 404
    assert device.get("/api/v1/orders").status_code == 401


def useless(runtime, bought):
    good = signed(runtime, bought)
    return {
        "none": "/orders/open",
        "empty": "/orders/open?token=",
        "forged": f"{good[:-8]}AAAAAAAA",
        "another order's": good.replace(bought, "ord_" + "A" * 22),
        "cut": good[:-1],
        "with a key of somebody else": OrderLinks(["guessed"], FakeClock(datetime.now(UTC)), "").guest_path(bought),
        "expired": signed(runtime, bought, LINK_LIFETIME),
        "unknown": signed(runtime, "ord_" + "B" * 22),
        "a pass": f"/orders/open?token={runtime.services().order_links.make_pass(bought)}",
    }


def test_every_link_that_opens_nothing_gets_one_answer(runtime, bought, device):
    answers = {name: device.get(link) for name, link in useless(runtime, bought).items()}
    assert {answer.status_code for answer in answers.values()} == {404}
    assert len({answer.data for answer in answers.values()}) == 1
    assert "This link opens no order" in answers["forged"].text
    assert not any("Set-Cookie" in answer.headers for answer in answers.values())
    assert device.get(signed(runtime, bought, LINK_LIFETIME - timedelta(minutes=1))).status_code == 303


def test_order_of_an_account_opens_by_no_link(runtime, database, guest, device):
    order = buy_by_form(guest).rpartition("/")[2]
    link = signed(runtime, order)
    assert device.get(link).status_code == 303
    with database.transaction() as session:
        make_account(session, "robin@example.org")
    sign_in(guest, "robin@example.org")
    refused = device.get(link)
    assert (refused.status_code, refused.data) == (404, device.get("/orders/open?token=x").data)
    assert device.get(f"/orders/{order}").status_code == 404
    assert device.post(f"/orders/{order}/cancel").status_code == 404
    assert guest.get(link).location == f"/orders/{order}"  # her own account opens it, whatever leads there


def test_signed_in_user_opens_guest_order_by_link(runtime, database, bought, device):
    with database.transaction() as session:
        make_account(session, "ben@shop.test")
    sign_in(device, "ben@shop.test")
    assert device.get(f"/orders/{bought}").status_code == 404
    assert device.get(signed(runtime, bought), follow_redirects=True).status_code == 200
    assert device.get("/api/v1/orders").json["items"] == []


def test_a_pass_ends(runtime, bought, device):
    clock = FakeClock(datetime.now(UTC) - PASS_LIFETIME)
    old = OrderLinks(runtime.settings.secret_keys, clock, "").make_pass(bought)
    device.set_cookie("order", old)
    assert device.get(f"/orders/{bought}").status_code == 404


def test_order_link_and_page_are_neither_cached_nor_referred(runtime, bought, guest, device):
    link = signed(runtime, bought)
    answers = [device.get(link), device.get(f"/orders/{bought}"), device.get("/orders/open?token=x")]
    for answer in answers:
        assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert "X-Accel-Expires" not in answer.headers
    assert "token" not in answers[1].text
    assert guest.get("/").headers.getlist("Referrer-Policy") == ["strict-origin-when-cross-origin"]


def test_the_buyers_own_page_shows_the_link(bought, guest, device):
    page = guest.get(f"/orders/{bought}").text
    link = re.search(r'href="(/orders/open\?token=[\w.-]+)"', page)[1]
    assert device.get(link, follow_redirects=True).status_code == 200


def test_the_token_is_in_no_log_line(runtime, bought, device, settings):
    link = signed(runtime, bought)
    token = link.partition("token=")[2]
    for path in (link, f"{link}x", f"/orders/{bought}"):
        device.get(path)
    logs = "".join(path.read_text() for path in settings.log_dir.glob("*.jsonl"))
    assert '"/orders/open"' in logs
    assert token not in logs
    assert token.rpartition(".")[2] not in logs
    assert token not in device.get("/lab").text


def ask(client, number, email="robin@example.org"):
    return client.post("/orders/link", data={"number": number, "email": email})


def test_link_request_reveals_nothing_by_response_or_work(database, bought, device):
    number = number_of(database, bought)
    answers = [
        ask(device, number),
        ask(device, number, "stranger@example.org"),
        ask(device, "S-2222-2222"),
    ]
    assert {(answer.status_code, answer.location) for answer in answers} == {(303, "/orders/link?sent")}
    assert len({re.sub(r"dur=[\d.]+", "", answer.headers["Server-Timing"]) for answer in answers}) == 1
    assert not any("Set-Cookie" in answer.headers for answer in answers)
    assert "a mail with the link is on its way" in device.get("/orders/link?sent").text
    with database.reading() as session:
        asked = session.scalars(select(OutboxMessage).where(OutboxMessage.topic == "order.link")).all()
    assert len(asked) == 3
    assert "robin@example.org" not in str([one.payload for one in asked])


def test_repeated_link_request_during_late_mail_adds_nothing(database, device):
    for _ in range(3):
        ask(device, "S-2222-2222")
        ask(device, "S-2222-2222", "another@example.org")  # which must not be in the way of the first
    with database.reading() as session:
        assert len(session.scalars(select(OutboxMessage)).all()) == 2


def test_only_the_address_of_the_order_gets_the_link_again(runtime, database, bought, device):
    deliver(runtime)
    number = number_of(database, bought)
    ask(device, number, "stranger@example.org")
    ask(device, "S-2222-2222")
    deliver(runtime)
    assert len(sent_mails(database)) == 1  # the confirmation
    ask(device, number.lower().replace("-", ""), " Robin@EXAMPLE.org ")
    deliver(runtime)
    mail = sent_mails(database)[-1]
    assert (mail.recipient, mail.subject) == ("robin@example.org", f"The link to your order {number}")
    assert link_in(mail.text) == link_in(mail.html)
    assert device.get(link_in(mail.text)).location == f"/orders/{bought}"


def test_order_link_mail_is_rate_limited(runtime, database, bought, device):
    number = number_of(database, bought)
    for _ in range(5):
        ask(device, number)
        deliver(runtime)
    assert len(sent_mails(database)) == 2  # the confirmation, and the link once
    with database.transaction() as session:
        session.execute(text("UPDATE orders SET link_sent_at = link_sent_at - interval '16 minutes'"))
    ask(device, number)
    deliver(runtime)
    assert len(sent_mails(database)) == 3


def test_an_account_s_order_gets_no_link(runtime, database, guest, device):
    order = buy_by_form(guest).rpartition("/")[2]
    deliver(runtime)
    with database.transaction() as session:
        make_account(session, "robin@example.org")
    sign_in(guest, "robin@example.org")
    ask(device, number_of(database, order))
    deliver(runtime)
    assert len(sent_mails(database)) == 1


@pytest.mark.parametrize(
    ("number", "email", "wrong"),
    [("", "robin@example.org", "number"), ("S-1", "robin@example.org", "number"), ("S-2222-2222", "robin", "email")],
)
def test_invalid_order_number_or_address_is_reported_beside_field(database, device, number, email, wrong):
    answer = ask(device, number, email)
    assert answer.status_code == 422
    assert f'id="error-{wrong}"' in answer.text
    with database.reading() as session:
        assert session.scalars(select(OutboxMessage)).all() == []


def test_the_way_to_the_form_is_shown(device):
    assert 'href="/orders/link"' in device.get("/orders").text
    assert 'action="/orders/link"' in device.get(f"/orders/open?token={uuid.uuid4()}").text
