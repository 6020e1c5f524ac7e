"""Email by SMTP to a real server: one recipient, a verified server, permanent refusals."""

import email
import email.policy
import ssl
from contextlib import contextmanager

import pytest
import trustme
from sqlalchemy import select

from shop.backoff import ExponentialBackoff
from shop.errors import ConfigurationError
from shop.mail.email_templates import OutgoingEmail
from shop.mail.mailer import MailFailed, MailRefused, SmtpMailer
from shop.patterns.outbox.messages import enqueue
from shop.patterns.outbox.models import OutboxMessage
from shop.patterns.outbox.relay import OutboxRelay
from shop.patterns.queue.dispatcher import MessageDispatcher, RetryPolicy, list_dead_letters
from tests.support.smtp_server import run_mail_server

LETTER = OutgoingEmail("<one@shop>", "robin@example.org", "Your order S-1", "in text", "<p>in HTML</p>")
SENDER = "shop <orders@shop.test>"


def to(recipient):
    return OutgoingEmail("<one@shop>", recipient, "Your order S-1", "in text", "<p>in HTML</p>")


def smtp(server, **given):
    return SmtpMailer(f"smtp://127.0.0.1:{server.port}", SENDER, 5, **given)


@pytest.mark.parametrize(
    ("recipient", "given_to"),
    [
        ("robin@example.org", "robin@example.org"),
        ("Robin@Example.org", "robin@example.org"),
        ("robin@b\u00fccher.example", "robin@xn--bcher-kva.example"),
    ],
)
def test_email_has_one_ascii_recipient(recipient, given_to):
    with run_mail_server() as server:
        smtp(server).send(to(recipient))
    (taken,) = server.taken
    assert (taken.mail_from, taken.rcpt_tos) == ("orders@shop.test", [given_to])
    found = email.message_from_bytes(taken.original_content, policy=email.policy.default)
    assert [one.addr_spec for one in found["To"].addresses] == [given_to]


@pytest.mark.parametrize(
    "recipient", ["a@b,de.com", "a@b.de,c@d.de", "a;b@c.de", "\u00fcnn@b.de", "a@b.de\r\nRCPT TO:<c@d.de>"]
)
def test_invalid_recipient_is_refused_before_connecting(recipient):
    with pytest.raises(MailRefused):
        SmtpMailer("smtp://127.0.0.1:1", SENDER, 5).send(to(recipient))


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "refused", "reason"),
    [
        ("550 5.1.1 <{address}>: no such user", True, ": 550 5.1.1"),
        ("554 no", True, ": 554"),
        ("451 4.7.1 try again later", False, ": 451 4.7.1"),
    ],
)
def test_permanent_and_transient_refusals_differ_and_name_no_address(step, reply, refused, reason):
    with run_mail_server() as server:
        server.replies[step] = reply
        with pytest.raises(MailFailed) as failed:
            smtp(server).send(LETTER)
    assert isinstance(failed.value, MailRefused) == refused
    assert str(failed.value).endswith(reason)
    assert "robin" not in str(failed.value)


def test_accepted_email_is_sent_even_if_quit_fails():
    with run_mail_server() as server:
        server.replies["QUIT"] = "554 no"
        smtp(server).send(LETTER)
    assert len(server.taken) == 1


@pytest.fixture
def mailing(database, runtime):
    """Deliveries of one message, whose consumer sends the letter; returns what became of it."""

    def deliver(post):
        outcomes, found = [], []
        with database.transaction() as session:
            enqueue(session, "order", "the-order", "order.confirmation")
        OutboxRelay(database, found.append, lambda: 1000).run_once()
        patience = RetryPolicy(attempts=5, backoff=ExponentialBackoff(base_s=0.0, cap_s=0.0))
        handlers = {"confirmation": lambda message: post.send(LETTER)}
        deliveries = MessageDispatcher(
            database, handlers, patience, lambda name, outcome, seconds: outcomes.append(outcome)
        )
        deliveries.deliver("confirmation", found[0].to_json())
        return outcomes

    return deliver


def test_permanent_refusal_becomes_a_logged_dead_letter(mailing, database, caplog):
    with run_mail_server() as server:
        server.replies["RCPT"] = "550 5.1.1 no such user"
        assert mailing(smtp(server)) == ["dead"]
    with database.reading() as session:
        (dead,) = list_dead_letters(session, 10)
        assert session.scalars(select(OutboxMessage)).all() == []
    assert (dead.attempts, dead.error) == (1, "MailRefused: SMTPRecipientsRefused: 550 5.1.1")
    (line,) = [one for one in caplog.records if one.message == "message_dead"]
    assert line.levelname == "ERROR"


def test_transient_refusal_is_retried(mailing, database):
    with run_mail_server() as server:
        server.replies["RCPT"] = "451 4.7.1 later"
        assert mailing(smtp(server)) == ["retried"]
    with database.reading() as session:
        assert session.scalars(select(OutboxMessage)).one().attempts == 1


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@contextmanager
def encrypted(authority, name, scheme):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    with run_mail_server(context, implicit=scheme == "smtps") as server:
        yield server, f"{scheme}://store:secret@127.0.0.1:{server.port}"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_server_with_trusted_certificate_gets_the_email(authority, ca_file, scheme):
    with encrypted(authority, "127.0.0.1", scheme) as (server, url):
        SmtpMailer(url, SENDER, 5, ca_file).send(LETTER)
    assert (len(server.taken), server.log_ins) == (1, 1)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", False), ("mail.elsewhere.test", True)])
def test_untrusted_server_gets_neither_password_nor_email(authority, ca_file, scheme, name, trusted):
    with encrypted(authority, name, scheme) as (server, url):
        with pytest.raises(MailFailed, match="SSLCertVerificationError: ") as failed:
            SmtpMailer(url, SENDER, 5, ca_file if trusted else None).send(LETTER)
        assert not isinstance(failed.value, MailRefused)
    assert (server.taken, server.log_ins) == ([], 0)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_refused_at_the_start(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match="SHOP_MAIL_CA_FILE"):
        SmtpMailer("smtps://mail.test", SENDER, 5, path)
