"""Mailers: one sends email by SMTP if a server is configured; the other stores it in the mailbox, a table.

An email is sent by SMTP before the store records that it was sent. A crash between the two steps sends it twice, with
the same ``Message-ID``. SMTP gives no way to prevent this. The mailbox row is written in the same transaction as the
record, so it is written exactly once.
"""

import re
import ssl
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.database.transactions import refuse_in_transaction
from shop.email_address import clean_email
from shop.errors import ConfigurationError, InvalidFields
from shop.mail.email_templates import OutgoingEmail
from shop.mail.models import Mail
from shop.patterns.queue.failures import PermanentFailure
from shop.patterns.resilience import deadlines

if TYPE_CHECKING:
    from smtplib import SMTP, SMTPRecipientsRefused, SMTPResponseException

SLOW_S = 2.0
"""Seconds that the fault ``mail=slow`` adds to each email: a busy mail server, but within the client's timeout."""
STATUS_CODE = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
"""An enhanced status code at the beginning of a reply (RFC 3463)."""


class MailFailed(Exception):
    """The mail server is not available, or it did not accept the email."""


class MailRefused(MailFailed, PermanentFailure):
    """The mail server will never accept this email. The message contains no address, since logs must not hold one."""


class MailTransport(Protocol):
    """Sends or stores emails."""

    def send(self, email: OutgoingEmail) -> None:
        """Do the part of sending that must happen outside a transaction.

        Raises:
            MailFailed: the email may not have been accepted.
            MailRefused: the email will never be accepted.
        """

    def record(self, session: Session, email: OutgoingEmail) -> None:
        """Do the part of sending that belongs in the transaction that marks the message as handled."""


class DatabaseMailer:
    """Stores emails in the mailbox table."""

    def send(self, email: OutgoingEmail) -> None:
        """Do nothing: ``record`` stores the email."""

    def record(self, session: Session, email: OutgoingEmail) -> None:
        """Store an email. A second email with the same id changes nothing."""
        session.execute(
            insert(Mail)
            .values(
                message_id=email.message_id,
                recipient=email.recipient,
                subject=email.subject,
                text=email.text,
                html=email.html,
            )
            .on_conflict_do_nothing()
        )


class SmtpMailer:
    """Sends emails to a mail server, with a new connection for each email.

    On an encrypted connection, the server's certificate must be valid for its host name. Otherwise an attacker on the
    network could read the emails and the password (RFC 8314, 4.1; RFC 3207, 6).

    Args:
        url: ``smtp://`` (uses STARTTLS if it has a password) or ``smtps://``, with user, password, host, port.
        sender: the sender's address.
        timeout_s: seconds for each step of the SMTP dialogue; the deadline of a request ends it sooner.
        ca_file: PEM certificates of the trusted authorities, in place of the system's.

    Raises:
        ConfigurationError: the URL is malformed, or the certificates cannot be read.
    """

    def __init__(self, url: str, sender: str, timeout_s: float, ca_file: Path | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ConfigurationError("MAIL_URL is not a mail server's address; write smtp://user:password@host:587.")
        self._host, self._tls = parts.hostname, parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._sender = sender
        self._timeout_s = timeout_s
        self._context: ssl.SSLContext | None = None
        if ca_file is not None:
            try:
                self._context = ssl.create_default_context(cafile=str(ca_file))
            except OSError as error:
                raise ConfigurationError(
                    f"SHOP_MAIL_CA_FILE={ca_file} holds no readable certificates: {error}."
                ) from None

    def send(self, email: OutgoingEmail) -> None:
        """Send an email.

        Raises:
            MailFailed: the server is not available, is not trusted, or does not accept the email now.
            MailRefused: the recipient is not an email address, or the server refuses the email permanently (5xx).
        """
        import smtplib  # imported here: a process that sends no mail does not load it

        refuse_in_transaction("the mail server")
        try:
            recipient = clean_email(email.recipient)
        except InvalidFields:
            raise MailRefused("the recipient is not an email address that every mail server accepts") from None
        try:
            with self._connection() as server:
                message = replace(email, recipient=recipient).as_message(self._sender)
                server.send_message(message, to_addrs=[recipient])
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _smtp_failure(error) from error
        except (smtplib.SMTPException, OSError) as error:
            reason = f": {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError) else ""
            raise MailFailed(f"{type(error).__name__}{reason}") from error

    def record(self, session: Session, email: OutgoingEmail) -> None:
        """Do nothing: the email is sent already."""

    @contextmanager
    def _connection(self) -> "Iterator[SMTP]":
        import smtplib

        from shop.mail import smtp_connection

        # The system has about a hundred certificates. They are read once, and only in a process that sends mail.
        context = self._context = self._context or ssl.create_default_context()
        tls = context if self._tls else None
        server = smtp_connection.connect(self._host, self._port, self._timeout_s, deadlines.remaining, tls)
        try:
            if self._user:
                if not self._tls:
                    server.starttls(context=context)
                server.login(self._user, self._password)
            yield server
            with suppress(smtplib.SMTPException, OSError):  # the server has accepted the email; QUIT may fail
                server.quit()
        finally:
            server.close()


def _smtp_failure(error: "SMTPRecipientsRefused | SMTPResponseException") -> MailFailed:
    """Distinguish permanent (5xx) from transient failures (RFC 5321, 4.2.1), in a message without an address."""
    import smtplib

    reply: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reply = next(iter(error.recipients.values()))
    else:
        code, reply = error.smtp_code, error.smtp_error
    enhanced = STATUS_CODE.match(reply if isinstance(reply, str) else reply.decode("ascii", "replace"))
    reason = f"{type(error).__name__}: {code}{f' {enhanced[1]}' if enhanced else ''}"
    return MailRefused(reason) if 500 <= code <= 599 else MailFailed(reason)


class FaultInjectingMailer:
    """Simulates a mail server that is down or slow. The lab injects the fault here, in the client.

    Args:
        mailer: the real mailer.
        fault: returns ``none``, ``down`` or ``slow``.
        sleep: waits this many seconds.
    """

    def __init__(
        self, mailer: MailTransport, fault: Callable[[], str], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._mailer = mailer
        self._fault = fault
        self._sleep = sleep

    def send(self, email: OutgoingEmail) -> None:
        """Send an email, after the fault."""
        refuse_in_transaction("the mail server")
        match self._fault():
            case "down":
                raise MailFailed("down, on purpose")
            case "slow":
                self._sleep(SLOW_S)
        self._mailer.send(email)

    def record(self, session: Session, email: OutgoingEmail) -> None:
        """Call the real mailer."""
        self._mailer.record(session, email)


def latest_mails(session: Session, limit: int) -> list[Mail]:
    """Return the mails of the mailbox, newest first."""
    return list(session.scalars(select(Mail).order_by(Mail.id.desc()).limit(limit)))


def mails_with_ids(session: Session, message_ids: Collection[str]) -> list[Mail]:
    """Return the mails of the mailbox with these ``Message-ID`` values, oldest first."""
    return list(session.scalars(select(Mail).where(Mail.message_id.in_(message_ids)).order_by(Mail.id)))
