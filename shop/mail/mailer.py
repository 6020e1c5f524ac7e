"""How a letter leaves: by SMTP where a server is configured, else into the mailbox, a table.

A letter that goes by SMTP leaves before it is written down that it has; a crash between the two sends it twice, under
one ``Message-ID``. Nothing on our side can change that. The mailbox is in the transaction of the note: exactly once.
"""

import re
import ssl
import time
from collections.abc import Callable, Iterator
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

if TYPE_CHECKING:
    from smtplib import SMTP, SMTPRecipientsRefused, SMTPResponseException

SLOW_S = 2.0
"""What the fault ``mail=slow`` adds to a letter: a busy mail server's answer, within its client's patience."""


STATUS_CODE = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
"""An enhanced status code at the beginning of a reply (RFC 3463)."""


class MailFailed(Exception):
    """The mail server is away, or did not take the letter."""


class MailRefused(MailFailed, PermanentFailure):
    """The mail server will never take this letter; the message names no address, which belongs in no log."""


class MailTransport(Protocol):
    """Somebody who takes letters."""

    def send(self, letter: OutgoingEmail) -> None:
        """Do what must be done outside a transaction.

        Raises:
            MailFailed: it is not known to have been taken.
            MailRefused: it will never be.
        """

    def record(self, session: Session, letter: OutgoingEmail) -> None:
        """Do what is done in the transaction that notes the letter as sent."""


class DatabaseMailer:
    """Keeps letters in a table."""

    def send(self, letter: OutgoingEmail) -> None:
        """Do nothing: all of it happens in the transaction."""

    def record(self, session: Session, letter: OutgoingEmail) -> None:
        """Keep a letter; the second one of the same id is the same letter."""
        session.execute(
            insert(Mail)
            .values(
                message_id=letter.message_id,
                recipient=letter.recipient,
                subject=letter.subject,
                text=letter.text,
                html=letter.html,
            )
            .on_conflict_do_nothing()
        )


class SmtpMailer:
    """Hands letters to a mail server, each over a connection of its own.

    Where the connection is encrypted, the server's certificate must be good for its name: otherwise whoever sits in
    between reads the letters and the password (RFC 8314, 4.1; RFC 3207, 6).

    Args:
        url: ``smtp://`` (with STARTTLS where there is a password) or ``smtps://``, user, password, host, port.
        sender: the address letters come from.
        timeout_s: seconds for each step of the conversation.
        ca_file: PEM certificates of the authorities that are trusted instead of the machine's own.

    Raises:
        ConfigurationError: the address is malformed, or the certificates cannot be read.
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
        self._context = _trusting(ca_file) if ca_file is not None else None

    def send(self, letter: OutgoingEmail) -> None:
        """Send a letter.

        Raises:
            MailFailed: the server is away, cannot be trusted, or does not take it now.
            MailRefused: the recipient is no address, or the server refuses this letter for good (5xx).
        """
        import smtplib  # here, so that who sends nothing does not carry it

        refuse_in_transaction("the mail server")
        letter = replace(letter, recipient=_recipient(letter))
        try:
            with self._connected() as server:
                server.send_message(letter.as_message(self._sender), to_addrs=[letter.recipient])
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _refusal(error) from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailFailed(_reason(error)) from error

    def record(self, session: Session, letter: OutgoingEmail) -> None:
        """Do nothing: it has left."""

    @contextmanager
    def _connected(self) -> "Iterator[SMTP]":
        import smtplib

        # The machine's own certificates are some hundred: read once, and only by a process that sends mail.
        context = self._context = self._context or ssl.create_default_context()
        if self._tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout_s, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout_s)
        try:
            if self._user:
                if not self._tls:
                    server.starttls(context=context)
                server.login(self._user, self._password)
            yield server
            with suppress(smtplib.SMTPException, OSError):  # it has the letter, whatever it says of good-bye
                server.quit()
        finally:
            server.close()


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise ConfigurationError(f"SHOP_MAIL_CA_FILE={ca_file} holds no readable certificates: {error}.") from None


def _recipient(letter: OutgoingEmail) -> str:
    try:
        return clean_email(letter.recipient)
    except InvalidFields:
        raise MailRefused("the recipient is no email address that every mail server takes") from None


def _refusal(error: "SMTPRecipientsRefused | SMTPResponseException") -> MailFailed:
    """Tell a refusal for good (5xx) from one for now (RFC 5321, 4.2.1), in words that name no address."""
    import smtplib

    reply: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reply = next(iter(error.recipients.values()))
    else:
        code, reply = error.smtp_code, error.smtp_error
    enhanced = STATUS_CODE.match(reply if isinstance(reply, str) else reply.decode("ascii", "replace"))
    reason = f"{type(error).__name__}: {code}{f' {enhanced[1]}' if enhanced else ''}"
    return MailRefused(reason) if 500 <= code <= 599 else MailFailed(reason)


def _reason(error: Exception) -> str:
    words = f": {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError) else ""
    return f"{type(error).__name__}{words}"


class FaultInjectingMailer:
    """The post as the lab can break it: what is seen of a mail server that is down or slow is made here, at the client.

    Args:
        post: the real one.
        fault: returns ``none``, ``down`` or ``slow``.
        sleep: waits so many seconds.
    """

    def __init__(
        self, post: MailTransport, fault: Callable[[], str], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._post = post
        self._fault = fault
        self._sleep = sleep

    def send(self, letter: OutgoingEmail) -> None:
        """Send a letter, or fail to, as ordered."""
        refuse_in_transaction("the mail server")
        match self._fault():
            case "down":
                raise MailFailed("down, on purpose")
            case "slow":
                self._sleep(SLOW_S)
        self._post.send(letter)

    def record(self, session: Session, letter: OutgoingEmail) -> None:
        """See the real one."""
        self._post.record(session, letter)


def latest_mails(session: Session, limit: int) -> list[Mail]:
    """Return what is in the mailbox, the newest first."""
    return list(session.scalars(select(Mail).order_by(Mail.id.desc()).limit(limit)))
