"""How a letter leaves: by SMTP where a server is configured, else into the mailbox, a table.

A letter that goes by SMTP leaves before it is written down that it has; a crash between the two sends it twice, under
one ``Message-ID``. Nothing on our side can change that. The mailbox is in the transaction of the note: exactly once.
"""

import time
from collections.abc import Callable
from typing import Protocol
from urllib.parse import unquote, urlsplit

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.errors import ConfigurationError
from shop.mail.letters import Letter
from shop.mail.models import Mail
from shop.unit_of_work import refuse_in_transaction

SLOW_S = 2.0
"""What the fault ``mail=slow`` adds to a letter: a busy mail server's answer, within its client's patience."""


class MailFailed(Exception):
    """The mail server is away, or did not take the letter."""


class Post(Protocol):
    """Somebody who takes letters."""

    def send(self, letter: Letter) -> None:
        """Do what must be done outside a transaction.

        Raises:
            MailFailed: it is not known to have been taken.
        """

    def file(self, session: Session, letter: Letter) -> None:
        """Do what is done in the transaction that notes the letter as sent."""


class Mailbox:
    """Keeps letters in a table."""

    def send(self, letter: Letter) -> None:
        """Do nothing: all of it happens in the transaction."""

    def file(self, session: Session, letter: Letter) -> None:
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


class Smtp:
    """Hands letters to a mail server, each over a connection of its own.

    Args:
        url: ``smtp://`` (with STARTTLS where there is a password) or ``smtps://``, user, password, host, port.
        sender: the address letters come from.
        timeout_s: seconds for each step of the conversation.

    Raises:
        ConfigurationError: the address is malformed.
    """

    def __init__(self, url: str, sender: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ConfigurationError("MAIL_URL is not a mail server's address; write smtp://user:password@host:587.")
        self._host, self._tls = parts.hostname, parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 587)
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._sender = sender
        self._timeout_s = timeout_s

    def send(self, letter: Letter) -> None:
        """Send a letter."""
        import smtplib  # here, so that who sends nothing does not carry it

        refuse_in_transaction("the mail server")
        kind = smtplib.SMTP_SSL if self._tls else smtplib.SMTP
        try:
            with kind(self._host, self._port, timeout=self._timeout_s) as server:
                if self._user:
                    if not self._tls:
                        server.starttls()
                    server.login(self._user, self._password)
                server.send_message(letter.as_message(self._sender))
        except (smtplib.SMTPException, OSError) as error:
            raise MailFailed(f"{type(error).__name__}") from error

    def file(self, session: Session, letter: Letter) -> None:
        """Do nothing: it has left."""


class Breakable:
    """The post as the lab can break it: what is seen of a mail server that is down or slow is made here, at the client.

    Args:
        post: the real one.
        fault: returns ``none``, ``down`` or ``slow``.
        sleep: waits so many seconds.
    """

    def __init__(self, post: Post, fault: Callable[[], str], sleep: Callable[[float], None] = time.sleep) -> None:
        self._post = post
        self._fault = fault
        self._sleep = sleep

    def send(self, letter: Letter) -> None:
        """Send a letter, or fail to, as ordered."""
        refuse_in_transaction("the mail server")
        match self._fault():
            case "down":
                raise MailFailed("down, on purpose")
            case "slow":
                self._sleep(SLOW_S)
        self._post.send(letter)

    def file(self, session: Session, letter: Letter) -> None:
        """See the real one."""
        self._post.file(session, letter)


def latest(session: Session, limit: int) -> list[Mail]:
    """Return what is in the mailbox, the newest first."""
    return list(session.scalars(select(Mail).order_by(Mail.id.desc()).limit(limit)))
