"""The mail that confirms an order: by the queue, and inline."""

import email
import email.policy
import socket
import threading

import pytest
from sqlalchemy import func, select

from shop.checkout.confirmation import CONSUMER, TOPIC, ConfirmationConsumer, OrderEmails
from shop.checkout.details import CheckoutDetails
from shop.checkout.recovery_points import RecoveryPoint
from shop.clock import SystemClock
from shop.database.transactions import ExternalCallInTransaction
from shop.faults import FaultChannel, FaultReport
from shop.mail.email_templates import EmailTemplates, OutgoingEmail
from shop.mail.mailer import MailFailed, SmtpMailer
from shop.orders.links import OrderLinks
from shop.orders.models import Order
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.outbox.relay import OutboxRelay
from shop.patterns.queue.inbox import ConsumerInbox
from tests.support.checkout_processes import DETAILS, check_out_and_die, check_out_concurrently
from tests.support.checkout_records import sent_mails
from tests.support.factories import make_category, make_product
from tests.support.guest_carts import guest_with_cart


@pytest.fixture
def fault(settings):
    """Puts a fault of the mail server in force, as the supervisor would."""
    desk = FaultChannel(settings.run_dir)
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    yield lambda value: desk.publish_report(FaultReport(("mail",), {"mail": value}))
    desk.close()


def buy(runtime, key="the-key"):
    owner = guest_with_cart(runtime.database, {"last-mug": 2})
    return runtime.services().checkout.submit(owner, key, CheckoutDetails.model_validate(DETAILS))


def waiting_messages(database):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(OutboxMessage).where(OutboxMessage.topic == TOPIC))


def messages(runtime):
    found = []
    OutboxRelay(runtime.database, found.append, lambda: 1000).run_once()
    return found


def inline(runtime):
    runtime.switch_store.set("orders.confirmation", "inline")
    runtime.switch_poller.refresh()


def test_repeated_message_sends_one_confirmation_mail(runtime, database, last_mugs):
    ordered = buy(runtime)
    assert sent_mails(database) == []
    (message,) = messages(runtime)
    for _ in range(2):
        runtime.services().confirmation_consumer.handle(message)
    (mail,) = sent_mails(database)
    with database.reading() as session:
        number = session.scalar(select(Order.number))
    assert (mail.recipient, mail.subject) == ("robin@example.org", f"Your order {number}")
    for part in (mail.text, mail.html):
        assert f"/orders/open?token={ordered.public_id}." in part
        assert "Lindenweg 4" in part
        assert "Germany" in part


def test_a_message_that_comes_twice_is_sent_by_smtp_once(runtime, database, last_mugs):
    class Server:
        sent = 0

        def send(self, letter):
            self.sent += 1

        def record(self, session, letter):
            pass

    buy(runtime)
    (message,) = messages(runtime)
    server = Server()
    links = OrderLinks(["a key"], SystemClock(), "http://shop.test")
    letters = OrderEmails(database, links, EmailTemplates())
    consumer = ConfirmationConsumer(ConsumerInbox(database, CONSUMER), letters, server)
    consumer.handle(message)
    consumer.handle(message)
    assert server.sent == 1


def test_a_declined_checkout_sends_nothing(runtime, database, last_mugs):
    details = {**DETAILS, "payment": {"token": "tok_declined"}}
    runtime.services().checkout.submit(
        guest_with_cart(database, {"last-mug": 2}), "the-key", CheckoutDetails.model_validate(details)
    )
    assert waiting_messages(database) == 0


def test_checkout_killed_right_after_commit_still_sends_mail(database, settings, last_mugs):
    check_out_and_die(settings, (guest_with_cart(database, {"last-mug": 2}), "the-key"), RecoveryPoint.SETTLED)
    assert waiting_messages(database) == 1


def test_the_same_checkout_many_times_at_once_writes_one_message(database, settings, last_mugs):
    check_out_concurrently(
        settings,
        [[(guest_with_cart(database, {"last-mug": 2}), "the-key")]] * 1
        + [[(guest_with_cart(database, {"last-mug": 2}), "another")]],
    )
    assert waiting_messages(database) == 2


def test_queue_keeps_message_while_mail_server_is_down(runtime, database, last_mugs, fault):
    buy(runtime)
    (message,) = messages(runtime)
    fault("down")
    with pytest.raises(MailFailed):
        runtime.services().confirmation_consumer.handle(message)
    fault("none")
    runtime.services().confirmation_consumer.handle(message)
    assert len(sent_mails(database)) == 1


def test_inline_confirmation_sends_mail_at_once_without_a_message(runtime, database, last_mugs):
    inline(runtime)
    buy(runtime)
    assert len(sent_mails(database)) == 1
    assert waiting_messages(database) == 0


def test_inline_confirmation_loses_mail_not_order_when_server_is_down(runtime, database, last_mugs, fault):
    inline(runtime)
    fault("down")
    assert buy(runtime)
    fault("none")
    assert sent_mails(database) == []
    assert waiting_messages(database) == 0
    with database.reading() as session:
        assert session.scalar(select(Order.status)) == "paid"


def test_markup_in_a_title_is_escaped_in_html_part(runtime, database, simulator):
    with database.transaction() as session:
        make_product(session, make_category(session), "last-mug", on_hand=9, title="Mug <b>bold</b>")
    buy(runtime)
    runtime.services().confirmation_consumer.handle(messages(runtime)[0])
    (mail,) = sent_mails(database)
    assert "Mug <b>bold</b>" in mail.text
    assert "Mug &lt;b&gt;bold&lt;/b&gt;" in mail.html


def test_the_lab_shows_the_mailbox(runtime, database, last_mugs, client):
    assert "No mail yet" in client.get("/lab/mail").text
    inline(runtime)
    buy(runtime)
    assert "Your order" in client.get("/lab/mail").text
    assert 'href="/lab/mail"' in client.get("/lab").text


LETTER = OutgoingEmail("<one@shop>", "robin@example.org", "Your order S-1", "in text", "<p>in HTML</p>")


class MailServer:
    """The few words of SMTP (RFC 5321) one letter takes, over a real connection."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.received = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._thread.join(10)
        self._socket.close()

    def _serve(self):
        connection, _ = self._socket.accept()
        with connection, connection.makefile("rwb") as wire:
            self._say(wire, b"220 here")
            for line in wire:
                if line.upper().startswith(b"DATA"):
                    self._say(wire, b"354 go on")
                    while (line := wire.readline()) != b".\r\n":
                        self.received += line
                self._say(wire, b"221 bye" if line.upper().startswith(b"QUIT") else b"250 well")
                if line.upper().startswith(b"QUIT"):
                    return

    @staticmethod
    def _say(wire, line):
        wire.write(line + b"\r\n")
        wire.flush()


def test_smtp_mail_has_two_parts_and_its_own_id():
    server = MailServer()
    SmtpMailer(f"smtp://127.0.0.1:{server.port}", "shop <orders@shop.test>", 5).send(LETTER)
    server.close()
    found = email.message_from_bytes(server.received, policy=email.policy.default)
    assert found["Message-ID"] == "<one@shop>"
    assert found.get_content_type() == "multipart/alternative"
    assert [part.get_content().strip() for part in found.iter_parts()] == ["in text", "<p>in HTML</p>"]


def test_absent_mail_server_fails_instead_of_hanging():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(MailFailed):
        SmtpMailer(f"smtp://127.0.0.1:{port}", "shop@shop.test", 5).send(LETTER)


def test_no_mail_server_is_called_inside_a_transaction(database):
    with database.transaction(), pytest.raises(ExternalCallInTransaction):
        SmtpMailer("smtp://127.0.0.1:1", "shop@shop.test", 5).send(LETTER)


def test_a_line_break_in_a_header_is_refused():
    with pytest.raises(ValueError, match="CR or LF"):
        OutgoingEmail("<one@shop>", "robin@example.org\nBcc: all@example.org", "s", "t", "h").as_message(
            "shop@shop.test"
        )
